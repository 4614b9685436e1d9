"""Run command: the `runCommands` resource (v2) and the `runCommand` action (v1).

A script that fails does not fail the resource: `provisioningState` is Succeeded and the instance view says Failed with the exit code
(recorded: azure-cli
test_run_command_v2), unless `treatFailureAsDeploymentFailure`. A PUT that changes nothing runs nothing again, unless the last execution
failed.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, ClassVar

from .. import guest, operations
from ..blobs import put_text, text_at
from ..content import disk_content
from ..events import event
from ..registry import ResourceType, field, register, required
from ..store import Resource
from ..wire import ArmError, Json, Response, short_stamp
from .groups import location_of
from .run_command_documents import DOCUMENTS, check_command
from .virtual_machines import MACHINES

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

COMMAND = "Microsoft.Compute/virtualMachines/runCommands"
DEFAULT_TIMEOUT = 5400.0  # seconds; what timeoutInSeconds 0 stands for
DONE = ("Succeeded", "Failed", "TimedOut", "Canceled")
_ECHOED = (
    "source",
    "parameters",
    "protectedParameters",
    "asyncExecution",
    "runAsUser",
    "outputBlobUri",
    "errorBlobUri",
    "treatFailureAsDeploymentFailure",
)


def need_running(machine: Resource) -> None:
    if machine.private.get("power") != "running" or machine.state == "Deleting":
        raise ArmError(409, "OperationNotAllowed", "Cannot modify extensions in the VM when the VM is not running.")


def agent_ready(arm: Sandbox, machine: Resource) -> float | None:
    """When the machine's agent answers, epoch seconds; None for an agent that never does."""
    start = machine.private.get("agent_from")
    return None if start is None else max(arm.now, float(start))


class RunCommands(ResourceType):
    name = COMMAND
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.VirtualMachineRunCommand", "PATCH": "compute.VirtualMachineRunCommandUpdate"}
    listed = False

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        machine = call.parent
        assert machine is not None
        location = location_of(call, body, resource)
        if location != machine.location:
            raise ArmError(
                400,
                "InvalidParameter",
                f"The location '{location}' of the run command differs from that of its virtual machine.",
                target="location",
            )
        given = required(body, "properties", dict)
        source = required(body, "properties.source", dict, target="source")
        if source.get("galleryScriptReferenceId"):
            raise ArmError(400, "InvalidParameter", "Gallery scripts are not supported by the sandbox.", target="source")
        if source.get("commandId"):
            check_command(source["commandId"], machine.properties["storageProfile"]["osDisk"]["osType"])
        if not any(source.get(key) for key in ("script", "scriptUri", "commandId")):
            raise ArmError(400, "InvalidParameter", "One of script, scriptUri or commandId must be given in source.", target="source")
        timeout = field(body, "properties.timeoutInSeconds", int, 0)
        properties: Json = {key: given[key] for key in _ECHOED if given.get(key) is not None and key != "protectedParameters"}
        properties.setdefault("asyncExecution", False)
        properties["timeoutInSeconds"] = timeout
        made: Json = {"name": call.name, "id": call.id, "type": self.name, "location": location}
        if "tags" in body:
            made["tags"] = body["tags"]
        created = resource is None
        if resource is not None:
            current = operations.running(arm, resource)
            same = resource.private["asked"] == [properties, made.get("tags")]
            failed = resource.private["run"]["state"] in ("Failed", "TimedOut", "Canceled")
            if same and (current is not None or not failed):
                return operations.written(arm, call, current, resource.body, created=False)
            operations.preempt(arm, resource)
        need_running(machine)
        asked = [dict(properties), made.get("tags")]
        made["properties"] = {**properties, "provisioningState": "Creating" if created else "Updating"}
        resource = self.in_place(arm, call, resource, made)
        resource.private["asked"] = asked
        self.execute(arm, call, resource, machine)
        operation = operations.running(arm, resource)
        return operations.written(arm, call, operation, resource.body, created=created)

    def execute(self, arm: Sandbox, call: Call, resource: Resource, machine: Resource) -> None:
        """Hand the script to the machine's agent."""
        number = arm.count("run")
        resource.private["run"] = {"number": number, "state": "Pending"}
        fault = (arm.faults.take("guest", call) or {}).get("guest")
        ready = agent_ready(arm, machine)
        operation = operations.start(arm, call, resource, "runCommands.agent", open_ended=True, then="runCommands.ended")
        if "fault" in operation:
            return
        if ready is None or (fault or {}).get("silent"):
            arm.store.schedule(arm.now + DEFAULT_TIMEOUT / arm.speed, "runCommands.unanswered", id=resource.key, number=number)
        else:
            begin = ready + arm.seconds("runCommands.agent", resource.key, number)
            arm.store.schedule(begin, "runCommands.started", id=resource.key, number=number, override=fault)

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        if resource.private["run"]["state"] not in DONE:
            raise operations.conflict(resource)
        body = call.json()
        merged = {**resource.body, **{key: body[key] for key in ("tags",) if key in body}}
        merged["properties"] = {
            **{key: value for key, value in resource.properties.items() if key != "provisioningState"},
            **field(body, "properties", dict, {}),
        }
        call._json = merged
        call.parent = arm.store.get(call.id.rsplit("/", 2)[0])
        return self.put(arm, call, resource)

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        current = operations.running(arm, resource)
        if current is not None and current["kind"] == "runCommands.delete":
            return operations.accepted(arm, call, current)
        operations.preempt(arm, resource)
        resource.private["run"]["state"] = "Canceled"
        resource.properties["provisioningState"] = "Deleting"
        operation = operations.start(arm, call, resource, "runCommands.delete", then="runCommands.deleted")
        return operations.accepted(arm, call, operation)

    def dynamic(self, call: Call) -> bool:
        return call.expands("instanceView")

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        if not self.dynamic(call):
            return resource.body
        return {**resource.body, "properties": {**resource.properties, "instanceView": execution(arm, resource.private["run"])}}


def execution(arm: Sandbox, run: Json) -> Json:
    """The instance view of a run, with the output so far."""
    state = run["state"]
    if state == "Pending":
        return {"executionState": "Pending", "executionMessage": "", "exitCode": 0, "output": "", "error": ""}
    shown: Json = {
        "exitCode": run["exit_code"] if state in ("Succeeded", "Failed") else 0,
        "executionState": state,
        "executionMessage": run.get("message", ""),
    }
    for name, kind in (("output", "out"), ("error", "err")):
        shown[name] = guest.tail("".join(f"{text}\n" for at, which, text in run.get("lines", ()) if which == kind and at <= arm.now))
    if "start" in run:
        shown["startTime"] = short_stamp(run["start"])
    if "end" in run:
        shown["endTime"] = short_stamp(run["end"])
    return shown


def plan(arm: Sandbox, machine: Resource, run: Json, script: str, override: Json | None) -> float:
    """Have the guest read the script: lines and effects get their times. Returns when the script ends, epoch seconds."""
    disk = arm.resource(machine.private["os_disk"])
    content = disk_content(disk) if disk is not None else None
    if disk is None or content is None:
        raise ArmError(409, "OperationNotAllowed", "The machine has no operating system.")
    found = guest.interpret(script, content, Random(f"{arm.seed} script {machine.key} {run['number']}"), override)
    run["start"] = arm.now
    run["lines"] = [[arm.now + at / arm.speed, which, text] for at, which, text in found["lines"]]
    run["exit_code"] = found["exit_code"]
    for at, name, arguments in found["effects"]:
        scaled = dict(arguments)
        arm.store.schedule(arm.now + at / arm.speed, name, id=machine.key, **scaled)
    content["guest"]["scripts"] = [*content["guest"]["scripts"][-99:], f"{run['number']}: exit {found['exit_code']}"]
    arm.store.touch(disk)
    return float(arm.now + found["seconds"] / arm.speed)


def _current(arm: Sandbox, id: str, number: int) -> tuple[Resource | None, Json]:
    resource = arm.store.resources.get(id)
    if resource is None or resource.private["run"]["number"] != number or resource.private["run"]["state"] in DONE:
        return None, {}
    return resource, resource.private["run"]


def _end(arm: Sandbox, resource: Resource, error: Json | None = None) -> None:
    operation = operations.running(arm, resource)
    if operation is not None:
        operations.end(arm, operation, error)
    arm.store.touch(resource)


def _script(arm: Sandbox, source: Json) -> str:
    """The script of a command: given, at a URL of the sandbox's account, or that of a document."""
    url = source.get("scriptUri")
    if source.get("script"):
        return str(source["script"])
    if url:
        return text_at(arm, str(url)) or str(url)
    return "\n".join(DOCUMENTS.get(str(source.get("commandId", "")).lower(), {}).get("script", ()))


@event("runCommands.started")
def _started(arm: Sandbox, id: str, number: int, override: Json | None = None) -> None:
    resource, run = _current(arm, id, number)
    if resource is None:
        return
    machine = arm.store.get(id.rsplit("/", 2)[0])
    if machine is None or machine.private.get("power") != "running":
        return
    run["state"] = "Running"
    run["message"] = "Execution in progress"
    source = resource.properties["source"]
    ends = plan(arm, machine, run, _script(arm, source), override)
    timeout = (resource.properties["timeoutInSeconds"] or DEFAULT_TIMEOUT) / arm.speed
    if ends - arm.now > timeout:
        arm.store.schedule(arm.now + timeout, "runCommands.timedOut", id=id, number=number)
    else:
        arm.store.schedule(ends, "runCommands.finished", id=id, number=number)
    if resource.properties["asyncExecution"]:
        _end(arm, resource)
    arm.store.touch(resource)


@event("runCommands.finished")
def _finished(arm: Sandbox, id: str, number: int) -> None:
    resource, run = _current(arm, id, number)
    machine = arm.store.get(id.rsplit("/", 2)[0])
    if resource is None or machine is None or machine.private.get("power") != "running":
        return
    code = run["exit_code"]
    run["end"] = arm.now
    run["state"] = "Failed" if code else "Succeeded"
    run["message"] = (
        f"Execution failed: failed to execute command: command terminated with exit status={code}" if code else "Execution completed"
    )
    for name, which in (("outputBlobUri", "out"), ("errorBlobUri", "err")):
        if resource.properties.get(name):
            put_text(arm, resource.properties[name], "".join(f"{text}\n" for _, kind, text in run["lines"] if kind == which))
    _end(arm, resource, _as_failure(resource, run) if code else None)


@event("runCommands.timedOut")
def _timed_out(arm: Sandbox, id: str, number: int) -> None:
    resource, run = _current(arm, id, number)
    if resource is not None:
        run["end"] = arm.now
        run["state"] = "TimedOut"
        run["message"] = "Execution timed out"
        _end(arm, resource, _as_failure(resource, run))


@event("runCommands.unanswered")
def _unanswered(arm: Sandbox, id: str, number: int) -> None:
    resource, run = _current(arm, id, number)
    if resource is not None:
        run["state"] = "Failed"
        run["exit_code"] = 0
        _end(arm, resource, agent_silent(id.split("/")[8]))


def agent_silent(machine: str) -> Json:
    """Recorded: azure-cli test_vm_create_with_default_trusted_launch."""
    return {
        "code": "VMAgentStatusCommunicationError",
        "message": f"VM '{machine}' has not reported status for VM agent or extensions. Verify that the OS is up and healthy, the VM has a "
        "running VM agent, and that it "
        "can establish outbound connections to Azure storage. Please refer to https://aka.ms/vmextensionlinuxtroubleshoot for "
        "additional VM agent troubleshooting "
        "information.",
    }


def _as_failure(resource: Resource, run: Json) -> Json | None:
    if not resource.properties.get("treatFailureAsDeploymentFailure"):
        return None
    return {
        "code": "VMExtensionProvisioningError",
        "message": f"VM has reported a failure when processing extension '{resource.name}' (publisher 'Microsoft.CPlat.Core' "
        "and type 'RunCommandHandler'). "
        f"Error message: '{run['message']}'.",
    }


@event("runCommands.ended")
def _ended(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    """The operation is over; the instance view has been written before."""


@event("runCommands.deleted")
def _deleted(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    if resource is not None:
        arm.store.drop(resource)


register(RunCommands())


# v1


def run_command(arm: Sandbox, call: Call, machine: Resource) -> Response:
    """POST runCommand: one at a time; the output is the operation's."""
    body = call.json()
    command = check_command(required(body, "commandId"), machine.properties["storageProfile"]["osDisk"]["osType"])
    need_running(machine)
    last = arm.store.operations.get(machine.private.get("command", ""))
    if last is not None and last["status"] == "InProgress":
        raise ArmError(
            409, "Conflict", "Run command extension execution is in progress. Please wait for completion before invoking a run command."
        )
    script = "\n".join(str(line) for line in field(body, "script", list, [])) or command
    run: Json = {"number": arm.count("run")}
    fault = (arm.faults.take("guest", call) or {}).get("guest")
    ready = agent_ready(arm, machine)
    if ready is None or (fault or {}).get("silent"):
        operation = operations.start(
            arm, call, machine, "virtualMachines.runCommand", then="virtualMachines.unanswered", exclusive=False, seconds=DEFAULT_TIMEOUT
        )
    else:
        ends = plan(arm, machine, run, script, fault)
        least = arm.seconds("virtualMachines.runCommand", machine.key, run["number"])
        seconds = max(ends - arm.now, least) * arm.speed
        operation = operations.start(
            arm,
            call,
            machine,
            "virtualMachines.runCommand",
            then="virtualMachines.ranCommand",
            arguments={"run": run},
            exclusive=False,
            seconds=seconds,
        )
    machine.private["command"] = operation["id"]
    arm.store.touch(machine)
    return operations.accepted(arm, call, operation)


@event("virtualMachines.ranCommand")
def _ran(arm: Sandbox, operation: Json, resource: Resource | None, run: Json) -> None:
    if resource is None:
        return
    resource.private.pop("command", None)
    arm.store.touch(resource)
    out, err = (guest.tail("".join(f"{text}\n" for _, kind, text in run["lines"] if kind == which)) for which in ("out", "err"))
    disk = arm.resource(resource.private["os_disk"])
    content = disk_content(disk) if disk is not None else None
    shared = {"level": "Info", "displayStatus": "Provisioning succeeded"}
    if content is not None and content["os"] == "Windows":
        value = [
            {"code": "ComponentStatus/StdOut/succeeded", **shared, "message": out},
            {"code": "ComponentStatus/StdErr/succeeded", **shared, "message": err},
        ]
    else:
        value = [{"code": "ProvisioningState/succeeded", **shared, "message": f"Enable succeeded: \n[stdout]\n{out}\n[stderr]\n{err}"}]
    operation["output"] = {"value": value}


@event("virtualMachines.unanswered")
def _no_answer(arm: Sandbox, operation: Json, resource: Resource | None) -> None:
    if resource is not None:
        resource.private.pop("command", None)
        error = agent_silent(resource.name)
        raise ArmError(409, error["code"], error["message"])


MACHINES.actions["runcommand"] = run_command
