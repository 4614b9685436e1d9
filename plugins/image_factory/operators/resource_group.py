"""Resource groups: the box in which everything of one run is built, and with which it goes."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class CreateResourceGroupOperator(StepOperator):
    """Create the group, or adopt the one this run made.

    Fields and result: :func:`include.steps.resource_group.ensure`.
    """

    step = "resource_group.ensure"
    required = ("name", "location", "tags")


class DeleteResourceGroupOperator(StepOperator):
    """Delete the group of one run with all that is in it. A group of another run, or of nobody, is refused; one that is gone is success.

    Fields and result: :func:`include.steps.resource_group.delete`.
    """

    step = "resource_group.delete"
    required = ("name", "run")
    optional = ("keep_failed",)
