"""# Build images

One DAG for each recipe of the catalogue. A run

1. **plans**: fixes every name, the version and each step's arguments before the first write (a dry run ends here);
2. makes a **build machine** in a resource group of its own;
3. **prepares** it, a task for each step of the recipe, and **checks** it;
4. takes its identity out (**generalize**), unless the recipe is specialized, and **captures** it with its data disks;
5. **publishes** a gallery version in the home region, which `latest` does not see yet;
6. **boots** a fresh machine from that version and tests it, while the version **replicates** to the recipe's regions;
7. waits for **approval**, where the recipe asks for one;
8. **promotes** the version: only now `latest` moves, and recipes built on this image are started.

What the run built goes at the end, on success and on failure. Every task is safe to clear and run again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk import (
    DAG,
    AssetOrTimeSchedule,
    CronTriggerTimetable,
    Param,
    TriggerRule,
    chain,
    get_parsing_context,
)

from image_factory.assets import base_asset, image_asset
from image_factory.collection import nothing_to_collect
from image_factory.forms import REASON, VERSION, dry_run, put_form
from image_factory.notices import callbacks_of
from image_factory.operators.announcement import AnnounceImageVersionOperator
from image_factory.operators.build_plan import PlanImageBuildOperator
from image_factory.operators.destination import CreateDestinationOperator
from image_factory.operators.guest import DeprovisionGuestOperator
from image_factory.operators.image import CreateImageOperator
from image_factory.operators.image_version import (
    DiscardImageVersionOperator,
    PromoteImageVersionOperator,
    PublishImageVersionOperator,
    ReplicateImageVersionOperator,
)
from image_factory.operators.network import CreateNetworkOperator
from image_factory.operators.resource_group import CreateResourceGroupOperator, DeleteResourceGroupOperator
from image_factory.operators.run_command import RunCommandOperator
from image_factory.operators.snapshot import CaptureSnapshotsOperator
from image_factory.operators.virtual_machine import (
    CaptureVirtualMachineOperator,
    CreateVirtualMachineOperator,
    DeallocateVirtualMachineOperator,
    GeneralizeVirtualMachineOperator,
)
from image_factory.planning import FORM, PLAN, RUN
from image_factory.tasks import add_like_task, add_task, group_of
from include.factory.catalogue import Catalogue, load_catalogue
from include.factory.folder import catalogue_folder

if TYPE_CHECKING:
    from include.factory.recipe import Recipe

RUN_AND_FORM = {**RUN, "params": FORM}

CAPTURES = {
    "virtual_machine": CaptureVirtualMachineOperator,
    "managed_image": CreateImageOperator,
    "snapshot": CaptureSnapshotsOperator,
}


def dag_id_of(recipe: Recipe) -> str:
    return f"build_{recipe.name.replace('-', '_')}"


SWITCHES = {
    "skip_replicate": Param(False, type="boolean", title="Skip replication", description="Publish in the home region only."),
    "keep_failed_machine": Param(
        False, type="boolean", title="Keep a failed machine", description="When the build fails, leave its resource group for a look."
    ),
    "force": Param(False, type="boolean", title="Build even if nothing changed", description="Neither the base nor the recipe."),
    "dry_run": dry_run(False, "Print the plan (names, version, calls, regions) and stop."),
    "reason": REASON,
}


def form_of(recipe: Recipe) -> dict[str, Param]:
    """The trigger form. Nothing needs to be filled in."""
    regions = list(recipe.region_names)
    chosen = Param(
        regions,
        type="array",
        items={"type": "string", "enum": regions},
        examples=regions,
        title="Regions",
        description=f"Replicate to these only. The home region {regions[0]} is always one of them.",
    )
    return {"version": VERSION, "regions": chosen, **SWITCHES}


def schedule_of(recipe: Recipe, catalogue: Catalogue) -> Any:
    """The recipe's cron, the next version of its parent image or of its base, both, or neither."""
    when = recipe.schedule
    cron = CronTriggerTimetable(when.cron, timezone=when.time_zone) if when and when.cron else None
    parent = catalogue.recipes.get(recipe.awaited_parent or "")
    assets = [image_asset(parent.publish.gallery, parent.definition)] if parent else []
    if when and when.on_new_base:
        assets.append(base_asset(recipe.name))
    if cron and assets:
        return AssetOrTimeSchedule(timetable=cron, assets=assets)
    return cron or assets or None


def build_dag(recipe: Recipe, catalogue: Catalogue) -> DAG:
    """The DAG of one recipe. Its task ids are the keys of the plan's steps."""
    dag = DAG(
        dag_id=dag_id_of(recipe),
        dag_display_name=f"build {recipe.name}",
        description=recipe.description.split("\n")[0],
        doc_md=f"{recipe.description}\n\nOwner: {recipe.owner}\n\n{__doc__}",
        schedule=schedule_of(recipe, catalogue),
        catchup=False,
        max_active_runs=1,
        max_consecutive_failed_dag_runs=recipe.pause_after_failures or 0,
        **callbacks_of(recipe, pause_after=recipe.pause_after_failures),
        tags=["build", recipe.os.type, recipe.publish.gallery],
        default_args={"owner": recipe.owner},
    )
    plan = add_task(dag, PlanImageBuildOperator, PLAN, recipe=recipe.name, run=RUN_AND_FORM)
    task = partial(add_like_task, planned_by=PLAN)

    build_machine = group_of(dag, "build_machine")
    group = task(build_machine, CreateResourceGroupOperator, "create_resource_group").as_setup()
    network = [] if recipe.build.subnet else [task(build_machine, CreateNetworkOperator, "create_network")]
    machine = task(build_machine, CreateVirtualMachineOperator, "create_virtual_machine")

    scripts: list[Any] = []
    for name, steps in (("prepare", recipe.steps), ("check", recipe.checks)):
        if steps:
            group_of_scripts = group_of(dag, name)
            scripts += [task(group_of_scripts, RunCommandOperator, step.name) for step in steps]

    generalize = group_of(dag, "generalize")
    stop: list[Any] = [task(generalize, DeallocateVirtualMachineOperator, "deallocate")]
    if recipe.os.state == "Generalized":
        stop.insert(0, task(generalize, DeprovisionGuestOperator, "deprovision"))
        stop.append(task(generalize, GeneralizeVirtualMachineOperator, "mark_generalized"))
    capture = task(dag, CAPTURES[recipe.route], "capture")

    destination = task(dag, CreateDestinationOperator, "ensure_destination")
    publish = task(dag, PublishImageVersionOperator, "publish_version")

    chain(plan, group, *network, machine, *scripts, *stop, capture, publish)
    chain(plan, destination, publish)

    tested: list[Any] = [publish]
    if recipe.boot_test:
        boot_test = group_of(dag, "boot_test")
        fresh = task(boot_test, CreateVirtualMachineOperator, "create_virtual_machine")
        tested = [task(boot_test, RunCommandOperator, "run_script")]
        chain(publish, fresh, *tested)
    replicate = task(dag, ReplicateImageVersionOperator, "replicate_version")
    promote = task(dag, PromoteImageVersionOperator, "promote_version")
    image = image_asset(recipe.publish.gallery, recipe.definition)
    announce = add_task(dag, AnnounceImageVersionOperator, "announce_version", asset=image, planned_by=PLAN, promoted_by="promote_version")
    publish >> replicate
    [*tested, replicate] >> promote >> announce
    if recipe.approval:
        approve = add_approval(dag, recipe)
        [*tested, replicate] >> approve >> promote

    # The machines are not needed once the boot test is over: they do not wait for replication, nor for a human.
    delete = task(dag, DeleteResourceGroupOperator, "delete_build").as_teardown(setups=group)
    tested >> delete
    if recipe.disaster_recovery and recipe.encrypted:
        # Azure copies no encrypted version later: once it is tested, it is published to the second gallery from the same source.
        second_gallery = group_of(dag, "second_gallery")
        second = task(second_gallery, CreateDestinationOperator, "ensure_destination")
        publish_second = task(second_gallery, PublishImageVersionOperator, "publish_version")
        chain(tested, second, publish_second, delete)
    # A version that failed its boot test must go; one that only lacks a region is kept, to be repaired by clearing `replicate_version`.
    # The plan is among what it waits for, as the one success that it needs: without a plan there is nothing to discard.
    discard = task(dag, DiscardImageVersionOperator, "discard_version", trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
    [plan, *tested, replicate] >> discard
    put_form(dag, form_of(recipe))
    return dag


def add_approval(dag: DAG, recipe: Recipe) -> Any:
    """A person's word before `latest` moves."""
    # Half a second, which only recipes that ask for approval pay.
    from image_factory.operators.approval import ApproveVersionOperator

    assert recipe.approval is not None
    return add_task(
        dag,
        ApproveVersionOperator,
        "approve",
        subject=f"Promote {recipe.name} {{{{ ti.xcom_pull(task_ids='plan')['version'] }}}}?",
        body=(
            "The version is published, has passed its boot test and is replicated; `latest` does not see it yet.\n\n"
            "Base: `{{ ti.xcom_pull(task_ids='plan')['base']['id'] }}`\n\n"
            "Regions: {{ ti.xcom_pull(task_ids='plan')['regions'] | map(attribute='name') | join(', ') }}"
        ),
        approvers=recipe.approval.approvers,
        timeout=recipe.approval.timeout,
    )


def build_dags() -> dict[str, DAG]:
    """All DAGs; or, in a process that will run one task, just its DAG. What is wrong with the others, `broken_recipes.py` shows."""
    with nothing_to_collect():
        catalogue = load_catalogue(catalogue_folder())
        wanted = get_parsing_context().dag_id
        recipes = [recipe for recipe in catalogue.recipes.values() if wanted in (None, dag_id_of(recipe))]
        return {dag_id_of(recipe): build_dag(recipe, catalogue) for recipe in recipes}


globals().update(build_dags())
