"""What happens to the operating system before capture."""

from __future__ import annotations

from image_factory.operators.step import StepOperator


class DeprovisionGuestOperator(StepOperator):
    """Take the machine's identity out of the guest: ``waagent -deprovision+user`` on Linux, sysprep on Windows.

    Fields and result: :func:`include.steps.guest.deprovision`.
    """

    step = "guest.deprovision"
    required = ("resource_group", "virtual_machine", "location", "os_type")
    optional = ("timeout",)
