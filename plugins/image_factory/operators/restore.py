"""Machines made of versions that exist."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class PlanRestoreOperator(StepOperator):
    """Plan a machine of a version; a dry run ends here as skipped. XCom: the plan.

    Fields and result: :func:`include.steps.restore.plan`.
    """

    step = "restore.plan"
    required = ("run", "form")


class PlanGameDayOperator(StepOperator):
    """Plan a machine of the newest version that is tried and goes. XCom: the plan.

    Fields and result: :func:`include.steps.restore.plan_game_day`.
    """

    step = "restore.plan_game_day"
    required = ("run", "form")


class MeetObjectiveOperator(StepOperator):
    """Fail when recovery took longer than the objective. XCom: ``{"seconds"}``.

    Fields and result: :func:`include.steps.restore.meet_objective`.
    """

    step = "restore.meet_objective"
    required = ("resource_group", "virtual_machine", "command", "objective_minutes")


class ReportRestoreOperator(StepOperator):
    """Print what became of a restored machine, and how long it took.

    Fields and result: :func:`include.steps.restore.report`.
    """

    step = "restore.report"
    required = ("resource_group", "virtual_machine", "version_id")
    optional = ("command", "published", "objective_minutes")
