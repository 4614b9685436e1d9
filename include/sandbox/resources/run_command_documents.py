"""The run command documents of a region: what a `commandId` stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..registry import route
from ..wire import JSON_TYPE, ArmError, Json, Response, pretty

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

_SCHEMA = "http://schema.management.azure.com/schemas/2016-11-17/runcommands.json"
_ARGUMENTS = [{"name": "arg1", "type": "string", "required": False}, {"name": "arg2", "type": "string", "required": False}]
_CUSTOM = "Custom multiline {} script should be defined in script property. Optional parameters can be set in parameters property."

# id, OS type, label, description, script, parameters
_TABLE: tuple[tuple[str, str, str, str, list[str], list[Json]], ...] = (
    (
        "RunPowerShellScript",
        "Windows",
        "Executes a PowerShell script",
        _CUSTOM.format("PowerShell"),
        ["param(", "  [string]$arg1,", "  [string]$arg2", ")", "Write-Host This is a sample script with parameters $arg1 $arg2"],
        _ARGUMENTS,
    ),
    (
        "RunShellScript",
        "Linux",
        "Executes a Linux shell script",
        _CUSTOM.format("shell"),
        ["echo This is a sample script with parameters $arg1 $arg2"],
        _ARGUMENTS,
    ),
    ("ifconfig", "Linux", "List network configuration", "Get the configuration of all network interfaces.", ["ifconfig"], []),
    (
        "IPConfig",
        "Windows",
        "List IP configuration",
        "Shows detailed information for the IP address, subnet mask and default gateway.",
        ["ipconfig /all"],
        [],
    ),
    (
        "EnableRemotePS",
        "Windows",
        "Enable remote PowerShell",
        "Enables remote PowerShell.",
        ["Enable-PSRemoting -Force", "New-NetFirewallRule -Name WinRM-HTTPS -LocalPort 5986 -Protocol TCP -Action Allow"],
        [],
    ),
    (
        "RDPSettings",
        "Windows",
        "Verify RDP Listener Settings",
        "Checks registry settings and domain policy settings.",
        ["Get-ItemProperty 'HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Terminal Server'"],
        [],
    ),
)
DOCUMENTS: dict[str, Json] = {
    id.lower(): {
        "$schema": _SCHEMA,
        "id": id,
        "osType": os_type,
        "label": label,
        "description": description,
        "script": script,
        "parameters": parameters,
    }
    for id, os_type, label, description, script, parameters in _TABLE
}


def check_command(command: str, os_type: str) -> str:
    """A commandId in its own casing. Raises ArmError for an unknown one, and for one of the other OS."""
    found = DOCUMENTS.get(command.lower())
    if found is None:
        raise ArmError(404, "NotFound", f"The entity '{command}' was not found in this Azure location.")
    if found["osType"] != os_type:
        raise ArmError(
            400,
            "BadRequest",
            f"Command '{found['id']}' is not supported on OS type '{os_type}': it is for '{found['osType']}'.",
            target="commandId",
        )
    return str(found["id"])


@route("GET", "subscriptions/{}/providers/Microsoft.Compute/locations/{}/runCommands")
def list_documents(arm: Sandbox, call: Call, subscription: str, location: str) -> Response:
    shown = [{name: value for name, value in one.items() if name not in ("script", "parameters")} for one in DOCUMENTS.values()]
    return Response(200, {"content-type": JSON_TYPE}, pretty({"value": shown}))


@route("GET", "subscriptions/{}/providers/Microsoft.Compute/locations/{}/runCommands/{}")
def show_document(arm: Sandbox, call: Call, subscription: str, location: str, command: str) -> Response:
    found = DOCUMENTS.get(command.lower())
    if found is None:
        raise ArmError(404, "NotFound", "The entity was not found in this Azure location.")
    return Response(200, {"content-type": JSON_TYPE}, pretty({"script": found["script"], **found}))
