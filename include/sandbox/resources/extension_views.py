"""How extensions are seen from their machine: in its instance view, and among its agent's handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..wire import Json

if TYPE_CHECKING:
    from ..sandbox import Sandbox
    from ..store import Resource


def view_of(resource: Resource) -> Json:
    """An extension's instance view."""
    status = resource.private.get("status")
    if status is None:  # nothing was heard of it yet (recorded: azure-cli test_vm_create_with_default_trusted_launch)
        return {"name": resource.name}
    properties = resource.properties
    return {
        "name": resource.name,
        "type": f"{properties['publisher']}.{properties['type']}",
        "typeHandlerVersion": handler_version(properties),
        "statuses": [status],
    }


def handler_version(properties: Json) -> str:
    """The whole version of a handler that was asked for by its first two numbers."""
    parts = str(properties["typeHandlerVersion"]).split(".")
    return ".".join([*parts, "0", "0", "0"][:4])


def handlers(arm: Sandbox, machine: Resource) -> list[Json]:
    """vmAgent.extensionHandlers: one for each extension whose handler is there."""
    return [
        {
            "type": f"{one.properties['publisher']}.{one.properties['type']}",
            "typeHandlerVersion": handler_version(one.properties),
            "status": {
                "code": "ProvisioningState/succeeded",
                "level": "Info",
                "displayStatus": "Ready",
                "message": f"Plugin enabled (name: {one.properties['publisher']}.{one.properties['type']}, version: "
                f"{handler_version(one.properties)}).",
            },
        }
        for one in arm.store.collection(f"{machine.key}/extensions").values()
        if one.private.get("status") is not None
    ]
