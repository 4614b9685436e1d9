"""# Capture a virtual machine

Makes an image of a machine that exists, built by whomever.

* **Specialized**: as it is, with accounts and identity. By snapshots, so that the machine runs on; `stop` stops it for them and starts it
  again, for disks of one moment. (A confidential machine is stopped in any case: Azure has no other way.)
* **Generalized**: without accounts and identity. A copy is made of snapshots, in a network of its own that reaches nothing; the copy is
  deprovisioned and captured, and the machine is not touched. The machine *itself* is generalized only when its name is typed into
  `generalize_itself`, and it can never start again.

With all data disks by their LUNs, to a **gallery version** (made when the gallery or definition is missing) or to **VHD files** in a blob
container or a folder, by accesses that always end.

A dry run prints the plan: what happens to the machine, every write, gigabytes and rough cost. What the run makes for itself goes at the
end. Pink tasks are those that this capture did not need. Every task is safe to clear and run again.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Param, TaskGroup, TriggerRule, get_parsing_context

from image_factory.forms import OWNER, REASON, VERSION, dry_run, put_form, regions, replicas
from image_factory.notices import callbacks
from image_factory.operators.destination import CreateDestinationOperator
from image_factory.operators.disk import ExportVhdsOperator
from image_factory.operators.guest import DeprovisionGuestOperator
from image_factory.operators.image import CreateImageOperator
from image_factory.operators.image_version import (
    PromoteImageVersionOperator,
    PublishImageVersionOperator,
    ReplicateImageVersionOperator,
)
from image_factory.operators.machine_capture import PlanMachineCaptureOperator, ReportMachineCaptureOperator, RetireCapturesOperator
from image_factory.operators.network import CreateNetworkOperator
from image_factory.operators.resource_group import CreateResourceGroupOperator, DeleteResourceGroupOperator
from image_factory.operators.snapshot import CaptureSnapshotsOperator
from image_factory.operators.virtual_machine import (
    CaptureVirtualMachineOperator,
    CreateVirtualMachineOperator,
    DeallocateVirtualMachineOperator,
    GeneralizeVirtualMachineOperator,
    StartVirtualMachineOperator,
)
from image_factory.planning import FORM, NEXT, PLAN, RUN

# Whatever became of the task before.
ALWAYS = {"planned_by": PLAN, "trigger_rule": TriggerRule.ALL_DONE_MIN_ONE_SUCCESS}
# The SAS of the container for VHDs, kept where the run's form does not show it.
SAS = "{{ var.value.get('image_factory_export_sas_token', '') }}"


def capture_dag() -> DAG:
    with DAG(
        dag_id="capture_vm",
        dag_display_name="capture a machine",
        description="Make an image, or VHD files, of a machine that exists",
        doc_md=__doc__,
        schedule=None,
        max_active_runs=16,
        **callbacks(),
        tags=["capture", "recovery", "by hand"],
    ) as dag:
        plan = PlanMachineCaptureOperator(task_id=PLAN, run=RUN, form=FORM)
        group = CreateResourceGroupOperator(task_id="create_resource_group", planned_by=PLAN).as_setup()
        with TaskGroup("machine"):
            # The one task that may not be told to pass over skipped ones: it follows a setup.
            stop = DeallocateVirtualMachineOperator(task_id="stop", planned_by=PLAN)
            disks = CaptureSnapshotsOperator(task_id="snapshot_disks", **NEXT)
            start = StartVirtualMachineOperator(task_id="start", **ALWAYS)
        with TaskGroup("copy"):
            network = CreateNetworkOperator(task_id="create_network", **NEXT)
            copy = CreateVirtualMachineOperator(task_id="create_virtual_machine", **NEXT)
        with TaskGroup("generalize"):
            generalize = [
                DeprovisionGuestOperator(task_id="deprovision", **NEXT),
                DeallocateVirtualMachineOperator(task_id="deallocate", **NEXT),
                GeneralizeVirtualMachineOperator(task_id="mark_generalized", **NEXT),
            ]
        with TaskGroup("capture"):
            captures = [
                CaptureVirtualMachineOperator(task_id="check_machine", **NEXT),
                CreateImageOperator(task_id="create_image", **NEXT),
                CaptureSnapshotsOperator(task_id="snapshot_disks", **NEXT),
            ]
        destination = CreateDestinationOperator(task_id="ensure_destination", **NEXT)
        publish = PublishImageVersionOperator(task_id="publish_version", **NEXT)
        start_again = StartVirtualMachineOperator(task_id="start_machine", **ALWAYS)
        replicate = ReplicateImageVersionOperator(task_id="replicate_version", **NEXT)
        promote = PromoteImageVersionOperator(task_id="promote_version", **NEXT)
        export = ExportVhdsOperator(task_id="export_disks", sas_token=SAS, **NEXT)
        retire = RetireCapturesOperator(task_id="retire_captures", **NEXT)
        delete = DeleteResourceGroupOperator(task_id="delete_resource_group", planned_by=PLAN).as_teardown(setups=group)
        report = ReportMachineCaptureOperator(task_id="report", planned_by=PLAN).as_teardown(setups=group)

        plan >> group >> stop
        order: list[Any] = [disks, network, copy, *generalize]
        before: Any = stop
        for task in order:
            [plan, before] >> task
            before = task
        [plan, stop, disks] >> start
        for capture in captures:
            [plan, before] >> capture
            [capture] >> publish
            [capture] >> export
        plan >> destination >> publish
        plan >> [publish, export, start_again]
        publish >> start_again
        [plan, publish] >> replicate
        [plan, replicate] >> promote
        [plan, promote] >> retire
        [publish, export] >> delete
        [delete, retire, start, start_again, export] >> report
    put_form(dag, form())
    return dag


def form() -> dict[str, Param]:
    optional = ["null", "string"]
    return {
        "virtual_machine": Param(
            None, type="string", minLength=3, title="Virtual machine", description="Its ARM id, or resource-group/name."
        ),
        "state": Param(
            "Specialized",
            type="string",
            enum=["Specialized", "Generalized"],
            title="State",
            description="Specialized: as it is, and the machine runs on. Generalized: without accounts and identity, from a copy.",
        ),
        "to": Param("gallery", type="string", enum=["gallery", "vhd"], title="To", description="A gallery version, or VHD files."),
        "resource_group": Param(None, type=optional, title="Resource group of the gallery"),
        "gallery": Param(None, type=optional, title="Gallery", description="Made when missing."),
        "definition": Param(None, type=optional, title="Image definition", description="Made when missing."),
        "version": VERSION,
        "regions": regions("Regions", "Beside the machine's own."),
        **replicas("In each region"),
        "latest": Param(True, type="boolean", title="Latest", description="`latest` resolves to it."),
        "stop": Param(
            False,
            type="boolean",
            title="Stop the machine",
            description="For its snapshots, so that all disks are of one moment; it is started again.",
        ),
        "generalize_itself": Param(
            "",
            type="string",
            title="Generalize the machine itself",
            description="Type the machine's name. It can never start again. Left empty, a copy is generalized.",
        ),
        "export_to": Param(
            "",
            type="string",
            title="Export to",
            description="Blob container (its SAS is the Variable image_factory_export_sas_token), or a folder of the triggerer.",
        ),
        "name": Param("", type="string", title="Name", description="Under which captures are kept together; else the machine's."),
        "keep": Param(
            0,
            type="integer",
            minimum=0,
            maximum=1000,
            title="Keep",
            description="Captures of this name to keep; older ones are deleted when this one is good. 0 deletes none.",
        ),
        "owner": OWNER,
        "dry_run": dry_run(False, "Print the plan (each write, gigabytes, rough cost) and stop."),
        "reason": REASON,
    }


# A process that will run a task of another DAG has no use for this one.
if get_parsing_context().dag_id in (None, "capture_vm"):
    capture_vm = capture_dag()
