"""Regions of many versions at once."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class PlanRegionChangeOperator(StepOperator):
    """Plan which versions get and lose which regions; a dry run, or nothing to do, ends here as skipped. XCom: the plan.

    Fields and result: :func:`include.steps.regions.plan`.
    """

    step = "regions.plan"
    required = ("form",)


class PlanRecipeRegionsOperator(StepOperator):
    """Plan the regions of a recipe's versions of the run's day as the recipe says them now. XCom: the plan.

    Fields and result: :func:`include.steps.regions.plan_recipe`.
    """

    step = "regions.plan_recipe"
    required = ("recipe", "run")


class ChangeRegionsOperator(StepOperator):
    """Add regions to versions, remove them, repair them; what failed is named, and is all that a second run does.

    Fields and result: :func:`include.steps.regions.change`.
    """

    step = "regions.change"
    required = ("resource_group", "gallery", "definition", "target_regions", "versions")
    optional = ("at_once", "timeout")


class ReportRegionsOperator(StepOperator):
    """Print versions and regions as they are now.

    Fields and result: :func:`include.steps.regions.report`.
    """

    step = "regions.report"
    required = ("resource_group", "gallery", "definition", "versions", "regions")
