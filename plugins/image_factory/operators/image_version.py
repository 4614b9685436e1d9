"""Image versions: published, replicated, promoted, deleted."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class PublishImageVersionOperator(StepOperator):
    """Publish a version in its home region, excluded from ``latest``. XCom: ``{"id", "version"}``.

    Fields and result: :func:`include.steps.image_version.publish`.
    """

    step = "image_version.publish"
    required = ("resource_group", "gallery", "definition", "version", "location", "source", "target_regions")
    optional = ("replication_mode", "end_of_life", "safety", "tags")


class ReplicateImageVersionOperator(StepOperator):
    """Bring a version to its regions; a failed region is repaired and delays no other. XCom: ``{"regions": {name: state}}``.

    Fields and result: :func:`include.steps.image_version.replicate`.
    """

    step = "image_version.replicate"
    required = ("resource_group", "gallery", "definition", "version", "target_regions")
    optional = ("timeout",)


class PromoteImageVersionOperator(StepOperator):
    """Let ``latest`` resolve to a version that is Completed in all its regions.

    Fields and result: :func:`include.steps.image_version.promote`.
    """

    step = "image_version.promote"
    required = ("resource_group", "gallery", "definition", "version")
    optional = ("tags",)


class DeleteImageVersionOperator(StepOperator):
    """Delete a version of this run that was never promoted; one that is gone is success.

    Fields and result: :func:`include.steps.image_version.delete`.
    """

    step = "image_version.delete"
    required = ("resource_group", "gallery", "definition", "version", "run")


class DiscardImageVersionOperator(StepOperator):
    """Delete a version of this run when one of the tasks ``when_failed`` failed; otherwise the task is skipped.

    Fields and result: :func:`include.steps.image_version.discard`.
    """

    step = "image_version.discard"
    required = ("resource_group", "gallery", "definition", "version", "run", "when_failed")
