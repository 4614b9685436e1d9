"""# Restore machines

**`restore_vm`**, by hand: makes a machine of a version: of a recipe's image or a backup by its name, of any definition or version by its
id, or of a recipe's second gallery (`disaster_recovery`) when the first one's region is lost. A specialized version comes back with the
accounts and host name of the captured machine; it gets a network of its own that reaches nothing, unless you name a subnet.

**`game_day`**, monthly and by hand: restores the newest version in another region than its home, in a network of its own, checks it,
measures how long that took (recovery time) and how old the image was (recovery point), holds it against the objective, and deletes what
it made. Each month it is the turn of the next recipe with a second gallery, or backup.

Both plan first; a dry run prints the plan and stops. Every task is safe to clear and run again.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, CronTriggerTimetable, Param, get_parsing_context

from image_factory.forms import OWNER, REASON, dry_run, put_form
from image_factory.notices import callbacks
from image_factory.operators.network import CreateNetworkOperator
from image_factory.operators.resource_group import CreateResourceGroupOperator, DeleteResourceGroupOperator
from image_factory.operators.restore import MeetObjectiveOperator, PlanGameDayOperator, PlanRestoreOperator, ReportRestoreOperator
from image_factory.operators.run_command import RunCommandOperator
from image_factory.operators.virtual_machine import CreateVirtualMachineOperator
from image_factory.planning import FORM, NEXT, PLAN, RUN
from include.factory.folder import catalogue_folder
from include.factory.outline import backup_names, outlines
from include.factory.region import NAMES

IMAGE = {
    "disaster_recovery": Param(
        False, type="boolean", title="From the second gallery", description="Of the recipe, when the first one's region is lost."
    ),
    "version": Param(
        "latest",
        type="string",
        pattern=r"^(latest|newest|\d+\.\d+\.\d+)$",
        title="Version",
        description="A number; latest, as Azure takes it; or newest, also one that is excluded from latest.",
    ),
    "region": Param(
        None,
        type=["null", "string"],
        examples=sorted(NAMES),
        title="Region",
        description="The version must be there. By default its home; of a game day another, where there is one.",
    ),
    "sizes": Param([], type="array", items={"type": "string"}, title="Sizes", description="In order of preference."),
    "check": Param("", type="string", format="multiline", title="Check", description="Script that must pass on the machine."),
    "owner": OWNER,
    "reason": REASON,
    "dry_run": dry_run(False, "Print the plan (version, machine, each write) and stop."),
}


def restoring(plan: Any, group: Any) -> Any:
    """plan -> group -> network -> machine -> check; the last."""
    network = CreateNetworkOperator(task_id="create_network", planned_by=PLAN)
    machine = CreateVirtualMachineOperator(task_id="create_virtual_machine", **NEXT)
    check = RunCommandOperator(task_id="check", **NEXT)
    plan >> group >> network
    [plan, network] >> machine
    [plan, machine] >> check
    return check


def restore_dag() -> DAG:
    with DAG(
        dag_id="restore_vm",
        dag_display_name="restore a machine",
        description="Make a machine of a version",
        doc_md=__doc__,
        schedule=None,
        max_active_runs=16,
        **callbacks(),
        tags=["restore", "recovery", "by hand"],
    ) as dag:
        asked = PlanRestoreOperator(task_id=PLAN, run=RUN, form=FORM)
        shared = CreateResourceGroupOperator(task_id="create_resource_group", planned_by=PLAN).as_setup()
        report = ReportRestoreOperator(task_id="report", planned_by=PLAN).as_teardown(setups=shared)
        restoring(asked, shared) >> report
    put_form(
        dag,
        {
            "image": Param(
                None,
                type="string",
                minLength=1,
                title="Image",
                description="A recipe or a backup by its name, resource-group/gallery/definition, or an ARM id of a definition or version.",
            ),
            "resource_group": Param(None, type="string", title="Resource group", description="Of the machine; made when missing."),
            "name": Param(None, type="string", title="Name", description="Of the machine."),
            "subnet": Param(
                None, type=["null", "string"], title="Subnet", description="ARM id. By default a network of its own, which reaches nothing."
            ),
            "public_key": Param("", type="string", title="SSH public key", description="For the account `factory` of a generalized Linux."),
            **IMAGE,
        },
    )
    return dag


def game_day_dag() -> DAG:
    recipes = [recipe.name for recipe in outlines(catalogue_folder()) if recipe.has_second_gallery]
    with DAG(
        dag_id="game_day",
        dag_display_name="game day",
        description="Try whether a disaster could be recovered from, and how long it takes",
        doc_md=__doc__,
        schedule=CronTriggerTimetable("0 9 1 * *", timezone="UTC"),
        catchup=False,
        max_active_runs=4,
        **callbacks([*recipes, *backup_names(catalogue_folder())]),
        tags=["restore", "recovery"],
    ) as dag:
        asked = PlanGameDayOperator(task_id=PLAN, run=RUN, form=FORM)
        box = CreateResourceGroupOperator(task_id="create_resource_group", planned_by=PLAN).as_setup()
        met = MeetObjectiveOperator(task_id="meet_objective", planned_by=PLAN)
        report = ReportRestoreOperator(task_id="report", planned_by=PLAN).as_teardown(setups=box)
        delete = DeleteResourceGroupOperator(task_id="delete_resource_group", planned_by=PLAN).as_teardown(setups=box)
        restoring(asked, box) >> met >> report >> delete
    put_form(
        dag,
        {
            "image": Param(
                None,
                type=["null", "string"],
                title="Image",
                description="As in restore_vm. Left empty: the recipe with a second gallery, or the backup, whose turn it is this month.",
            ),
            "objective_minutes": Param(
                60, type="integer", minimum=1, maximum=10080, title="Objective", description="Recovery time in minutes."
            ),
            **IMAGE,
        },
    )
    return dag


# In a process that will run one task, just its DAG.
if get_parsing_context().dag_id in (None, "restore_vm"):
    restore_vm = restore_dag()
if get_parsing_context().dag_id in (None, "game_day"):
    game_day = game_day_dag()
