"""Virtual machine extensions: what runs in a machine on behalf of its owner.

A known type of extension comes up as Azure's does. Custom scripts are read like any other script (guest.py), with their effects; any
other extension reports that it is enabled. What needs a running agent waits for it, and fails where it never answers.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, ClassVar

from .. import operations
from ..events import event
from ..registry import ResourceType, field, invalid, register, required
from ..store import Resource
from ..wire import ArmError, Json, Response
from .extension_views import handler_version, view_of
from .groups import location_of
from .run_commands import agent_ready, agent_silent, need_running, plan

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

EXTENSION = "Microsoft.Compute/virtualMachines/extensions"
SCRIPTS = (("microsoft.azure.extensions", "customscript"), ("microsoft.compute", "customscriptextension"))
TIMEOUT = 5400.0  # seconds that an extension may take (extensionsTimeBudget's default)
_CHANGEABLE = (
    "forceUpdateTag",
    "publisher",
    "type",
    "typeHandlerVersion",
    "autoUpgradeMinorVersion",
    "enableAutomaticUpgrade",
    "settings",
    "suppressFailures",
    "provisionAfterExtensions",
    "protectedSettingsFromKeyVault",
)


class Extensions(ResourceType):
    name = EXTENSION
    listed = False
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.VirtualMachineExtension", "PATCH": "compute.VirtualMachineExtensionUpdate"}

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        machine = call.parent
        assert machine is not None
        location = location_of(call, body, resource)
        if location != machine.location:
            raise invalid(f"The location '{location}' of the extension differs from that of its virtual machine.", "location")
        for name in ("publisher", "type", "typeHandlerVersion"):
            required(body, f"properties.{name}", target=name)
        given = field(body, "properties", dict, {})
        same = [
            one.name
            for one in arm.store.collection(f"{machine.key}/extensions").values()
            if one.key != call.id.lower() and _kind(one.properties) == _kind(given)
        ]
        if same:
            raise ArmError(
                400,
                "BadRequest",
                "Multiple VMExtensions per handler not supported for OS type "
                f"'{machine.properties['storageProfile']['osDisk']['osType']}'. "
                f"VMExtension '{call.name}' with handler '{given['publisher']}.{given['type']}' already added or specified in input.",
            )
        properties: Json = {"autoUpgradeMinorVersion": bool(given.get("autoUpgradeMinorVersion", False))}
        if given.get("enableAutomaticUpgrade") is not None:
            properties["enableAutomaticUpgrade"] = given["enableAutomaticUpgrade"]
        properties["provisioningState"] = "Creating" if resource is None else "Updating"
        properties |= {name: given[name] for name in _CHANGEABLE if name not in properties and given.get(name) is not None}
        need_running(machine)
        return self.apply(arm, call, resource, machine, location, properties, given.get("protectedSettings"), body.get("tags"))

    def apply(
        self,
        arm: Sandbox,
        call: Call,
        resource: Resource | None,
        machine: Resource,
        location: str,
        properties: Json,
        protected: Json | None,
        tags: Json | None,
    ) -> Response:
        created = resource is None
        made: Json = {"name": call.name, "id": call.id, "type": self.name, "location": location}
        if tags is not None:
            made["tags"] = tags
        made["properties"] = properties
        if resource is not None:
            operations.preempt(arm, resource)
        resource = self.in_place(arm, call, resource, made)
        if protected is not None:
            resource.private["protected"] = protected
        arm.store.touch(machine)
        operation = self.enable(arm, call, resource, machine)
        return operations.written(arm, call, operation, resource.body, created=created)

    def enable(self, arm: Sandbox, call: Call, resource: Resource, machine: Resource) -> Json:
        """Hand the extension to the machine's agent."""
        ready = agent_ready(arm, machine)
        if ready is None:
            return operations.start(arm, call, resource, "extensions.enable", then="extensions.unanswered", seconds=TIMEOUT)
        seconds = (ready - arm.now) * arm.speed
        script = _script(resource) if _kind(resource.properties) in SCRIPTS else None
        if script is None:
            took = arm.seconds("extensions.enable", resource.key, arm.count("extension")) * arm.speed
            return operations.start(arm, call, resource, "extensions.enable", then="extensions.enabled", seconds=seconds + took)
        run: Json = {"number": arm.count("run")}
        ends = plan(arm, machine, run, script, (arm.faults.take("guest", call) or {}).get("guest"))
        took = min(TIMEOUT, (ends - arm.now) * arm.speed)
        arguments = {"run": run, "late": (ends - arm.now) * arm.speed > TIMEOUT}
        return operations.start(
            arm, call, resource, "extensions.enable", then="extensions.ran", arguments=arguments, seconds=seconds + took
        )

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        body = call.json()
        machine = arm.store.get(call.id.rsplit("/", 2)[0])
        assert machine is not None
        given = field(body, "properties", dict, {})
        properties = {**resource.properties, "provisioningState": "Updating"}
        properties |= {name: given[name] for name in _CHANGEABLE if given.get(name) is not None}
        for name in ("publisher", "type"):
            if str(properties[name]).lower() != str(resource.properties[name]).lower():
                raise ArmError(409, "PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.", target=name)
        need_running(machine)
        tags = body.get("tags", resource.body.get("tags"))
        return self.apply(arm, call, resource, machine, resource.location, properties, given.get("protectedSettings"), tags)

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        current = operations.running(arm, resource)
        if current is not None and current["kind"] == "extensions.delete":
            return operations.accepted(arm, call, current)
        machine = call.parent
        assert machine is not None
        need_running(machine)
        operations.preempt(arm, resource)
        resource.properties["provisioningState"] = "Deleting"
        arm.store.touch(machine)
        operation = operations.start(arm, call, resource, "extensions.delete", then="extensions.deleted")
        return operations.accepted(arm, call, operation)

    def dynamic(self, call: Call) -> bool:
        return call.expands("instanceView")

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        if not self.dynamic(call):
            return resource.body
        return {**resource.body, "properties": {**resource.properties, "instanceView": view_of(resource)}}


def _kind(properties: Json) -> tuple[str, str]:
    return str(properties.get("publisher", "")).lower(), str(properties.get("type", "")).lower()


def _script(resource: Resource) -> str:
    """What a custom script extension runs: commandToExecute or script, of either kind of settings."""
    found: Json = {**(resource.properties.get("settings") or {}), **(resource.private.get("protected") or {})}
    script = found.get("script")
    if isinstance(script, str):
        try:
            return base64.b64decode(script, validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return script
    return str(found.get("commandToExecute", ""))


def _report(resource: Resource, message: str, *, failed: bool = False) -> None:
    resource.private["status"] = {
        "code": f"ProvisioningState/{'failed/1' if failed else 'succeeded'}",
        "level": "Error" if failed else "Info",
        "displayStatus": "Provisioning failed" if failed else "Provisioning succeeded",
        "message": message,
    }


def _touch(arm: Sandbox, resource: Resource) -> None:
    machine = arm.store.get(resource.id.rsplit("/", 2)[0])
    arm.store.touch(resource)
    if machine is not None:
        arm.store.touch(machine)


@event("extensions.enabled")
def _enabled(arm: Sandbox, operation: Json, resource: Resource | None) -> None:
    if resource is not None:
        properties = resource.properties
        handler = f"{properties['publisher']}.{properties['type']}"
        _report(resource, f"Plugin enabled (handler name: {handler}, extension name: , version: {handler_version(properties)}).")
        _touch(arm, resource)


@event("extensions.ran")
def _ran(arm: Sandbox, operation: Json, resource: Resource | None, run: Json, late: bool) -> None:
    if resource is None:
        return
    out, err = ("".join(f"{text}\n" for _, kind, text in run["lines"] if kind == which) for which in ("out", "err"))
    code = run["exit_code"]
    told = f"Enable failed: failed to execute command: command terminated with exit status={code}" if code else "Enable succeeded: "
    message = f"{told}\n[stdout]\n{out}\n[stderr]\n{err}"
    _report(resource, message, failed=bool(code) or late)
    _touch(arm, resource)
    if late:
        raise ArmError(
            409,
            "VMExtensionProvisioningTimeout",
            f"Provisioning of VM extension {resource.name} has timed out. Extension provisioning has taken too long to complete. The "
            'extension last reported "Plugin enabled".',
        )
    if code and not resource.properties.get("suppressFailures"):
        properties = resource.properties
        raise ArmError(
            409,
            "VMExtensionProvisioningError",
            f"VM has reported a failure when processing extension '{resource.name}' (publisher '{properties['publisher']}' and type "
            f"'{properties['type']}'). Error message: '{message}'. More information on troubleshooting is available at "
            "https://aka.ms/VMExtensionCSELinuxTroubleshoot.",
        )


@event("extensions.unanswered")
def _unanswered(arm: Sandbox, operation: Json, resource: Resource | None) -> None:
    if resource is not None:
        error = agent_silent(resource.id.split("/")[8])
        raise ArmError(409, error["code"], error["message"])


@event("extensions.deleted")
def _deleted(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    if resource is not None:
        _touch(arm, resource)
        arm.store.drop(resource)


register(Extensions())
