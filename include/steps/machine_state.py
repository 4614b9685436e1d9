"""What a virtual machine's instance view says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.steps.arm_error import ArmError
from include.steps.azure import Azure
from include.steps.look import Resource, look

DEPROVISION = "deprovision"
"""The run command by which guest.deprovision works: that it is there is the record that it was done."""


async def read_machine(azure: Azure, resource_group: str, name: str) -> Resource | None:
    """The machine with its instance view; None when there is none."""
    return await look(azure.compute.virtual_machines.get(resource_group, name, expand="instanceView"))


def _statuses(machine: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return (machine["properties"].get("instanceView") or {}).get("statuses") or []


def power_state(machine: Mapping[str, Any]) -> str:
    """``running``, ``starting``, ``stopped``, ``stopping``, ``deallocated``, ``deallocating``, or ``unknown`` while it is being made."""
    codes = [str(status.get("code", "")) for status in _statuses(machine)]
    return next((code.partition("/")[2] for code in codes if code.startswith("PowerState/")), "unknown")


def is_generalized(machine: Mapping[str, Any]) -> bool:
    """The platform's own mark (``OSState/generalized``); what the guest looks like is another matter."""
    return any(str(status.get("code", "")).lower() == "osstate/generalized" for status in _statuses(machine))


def agent_ready(machine: Mapping[str, Any]) -> bool:
    """The guest is up and its agent reports."""
    agent = (machine["properties"].get("instanceView") or {}).get("vmAgent") or {}
    return any(str(status.get("code", "")).lower() == "provisioningstate/succeeded" for status in agent.get("statuses") or ())


def failure(machine: Mapping[str, Any]) -> ArmError:
    """Why the machine is ``Failed``: status ``ProvisioningState/failed/<Code>`` of the instance view."""
    for status in _statuses(machine):
        code = str(status.get("code", ""))
        if code.lower().startswith("provisioningstate/failed"):
            return ArmError(
                (code.split("/")[2] if code.count("/") > 1 else "ProvisioningFailed",),
                (str(status.get("message") or status.get("displayStatus") or ""),),
            )
    return ArmError(("ProvisioningFailed",), (f"Machine {machine.get('name')} failed and does not say why",))
