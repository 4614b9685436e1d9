"""Virtual machines: made, stopped, generalized, started, deleted."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class CreateVirtualMachineOperator(StepOperator):
    """Create a machine with the first of ``sizes`` that Azure has; XCom: ``{"id", "size", "vm_id"}``.

    Fields and result: :func:`include.steps.virtual_machine.create`.
    """

    step = "virtual_machine.create"
    required = (
        "resource_group",
        "name",
        "location",
        "sizes",
        "source",
        "os_type",
        "os_state",
        "security_type",
        "subnet_id",
        "os_disk",
        "tags",
    )
    optional = ("data_disks", "identities", "spot", "computer_name", "zone", "plan", "public_key")


class StartVirtualMachineOperator(StepOperator):
    """Start a machine; one that runs is success. A generalized machine can never start again.

    Fields and result: :func:`include.steps.virtual_machine.start`.
    """

    step = "virtual_machine.start"
    required = ("resource_group", "name")


class RestartVirtualMachineOperator(StepOperator):
    """Restart a machine and wait for its agent.

    Fields and result: :func:`include.steps.virtual_machine.restart`.
    """

    step = "virtual_machine.restart"
    required = ("resource_group", "name")


class DeallocateVirtualMachineOperator(StepOperator):
    """Stop a machine and give its hardware back.

    Fields and result: :func:`include.steps.virtual_machine.deallocate`.
    """

    step = "virtual_machine.deallocate"
    required = ("resource_group", "name")


class GeneralizeVirtualMachineOperator(StepOperator):
    """Mark a deallocated machine as generalized: once, and for ever.

    Fields and result: :func:`include.steps.virtual_machine.generalize`.
    """

    step = "virtual_machine.generalize"
    required = ("resource_group", "name")


class DeleteVirtualMachineOperator(StepOperator):
    """Delete a machine; one that is gone is success.

    Fields and result: :func:`include.steps.virtual_machine.delete`.
    """

    step = "virtual_machine.delete"
    required = ("resource_group", "name")


class CaptureVirtualMachineOperator(StepOperator):
    """Make a gallery version's source of the machine itself: no copy, no managed image. XCom: ``{"source"}``.

    Fields and result: :func:`include.steps.virtual_machine.capture_source`.
    """

    step = "virtual_machine.capture_source"
    required = ("resource_group", "name")
    optional = ("os_state",)
