"""A version's replicas: one per target region, each with its own progress, state and fate. The version's operation ends when the last
of them has ended.

Every replica takes the time that its region takes, in parallel; no region is done before the home region is. The default of
`allowDeletionOfReplicatedLocations` is false, as recorded; a failed region may always be removed (the documented cure is to remove and
re-add it).
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any, cast

from .. import operations
from ..events import event
from ..regions import short
from ..registry import TYPES
from ..store import Resource
from ..wire import ArmError, Json

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox
    from .artifact_versions import ArtifactVersions


def _kind(version: Resource) -> ArtifactVersions:
    return cast("ArtifactVersions", TYPES[version.type.lower()])


def begin(arm: Sandbox, call: Call, version: Resource, operation: Json) -> None:
    """Bring the replicas to the target regions: start the new and the failed ones, drop the rest, and let the operation end when all
    is done."""
    profile = version.properties["publishingProfile"]
    replicas: dict[str, Json] = version.private["replicas"]
    wanted = {short(region["name"]): region for region in profile["targetRegions"]}
    removed = [name for name in replicas if name not in wanted]
    for name in removed:
        del replicas[name]
    home = short(version.location)
    number = arm.count("replication")
    kind = _kind(version)
    earliest = arm.now + arm.seconds(f"{kind.short}.update", version.key, number)
    if replicas.get(home, {}).get("state") != "Completed":
        earliest = arm.now + arm.seconds(f"{kind.short}.{kind.pace(version)}", version.key, number)
    started = False
    for name, region in wanted.items():
        replica = replicas.get(name)
        if replica is not None and replica["state"] == "Completed":
            replica["count"] = region["regionalReplicaCount"]
            continue
        took = earliest - arm.now
        if name != home:
            took = max(took, arm.seconds(f"{kind.short}.region", version.key, name, number))
        made: Json = {
            "state": "Replicating",
            "start": arm.now,
            "end": arm.now + took,
            "number": number,
            "count": region["regionalReplicaCount"],
        }
        if "doomed" in version.private:
            made["fails"] = {"message": version.private["doomed"]["message"]}
        elif replica is not None and replica.get("stuck"):
            made["fails"], made["stuck"] = replica["fails"], True
        else:
            _doom(arm, call, made, name)
        late = arm.faults.take("late", call, region=name)
        if late is not None:
            made["usable_from"] = made["end"] + float(late["late"]) / arm.speed
        replicas[name] = made
        arm.store.schedule(made["end"], "versions.replicaDone", id=version.key, region=name, number=number)
        started = True
    version.private["replication"] = {"operation": operation["id"], "not_before": earliest}
    if not started and "fault" not in operation:
        arm.store.schedule(earliest, "versions.settled", id=version.key, operation=operation["id"])
    arm.store.touch(version)


def _doom(arm: Sandbox, call: Call, replica: Json, region: str) -> None:
    fault = arm.faults.take("replication", call, region=region)
    if fault is None:
        return
    effect = fault["replication"]
    if "seconds" in effect:
        seconds = effect["seconds"]
        if isinstance(seconds, list):
            seconds = Random(f"{arm.seed} replication {call.id} {region} {replica['number']}").uniform(*seconds)
        replica["end"] = replica["start"] + float(seconds) / arm.speed
        return
    replica["fails"] = {"message": effect.get("message", "Failed with internal server error.")}
    if effect.get("until") == "readd":
        replica["stuck"] = True


@event("versions.replicaDone")
def _replica_done(arm: Sandbox, id: str, region: str, number: int) -> None:
    version = arm.store.resources.get(id)
    replica = version.private["replicas"].get(region) if version is not None else None
    if (
        version is None
        or replica is None
        or replica["number"] != number
        or replica["state"] != "Replicating"
        or version.state == "Deleting"
    ):
        return
    operation = operations.running(arm, version)
    if operation is not None and "fault" in operation and region == short(version.location):
        replica["fails"] = {"message": operation["fault"]["message"]}
    replica["state"] = "Failed" if "fails" in replica else "Completed"
    if region == short(version.location) and replica["state"] == "Completed":
        _kind(version).arrived(version)
    arm.store.touch(version)
    _settle(arm, version)


@event("versions.settled")
def _settled(arm: Sandbox, id: str, operation: str) -> None:
    version = arm.store.resources.get(id)
    if version is not None and version.private["replication"]["operation"] == operation:
        _settle(arm, version)


def _settle(arm: Sandbox, version: Resource) -> None:
    """End the version's operation when no replica is on its way any more."""
    if any(_pending(replica) for replica in version.private["replicas"].values()):
        return
    operation = operations.running(arm, version)
    if operation is None or operation["id"] != version.private["replication"]["operation"] or "fault" in operation:
        return
    operations.end(arm, operation)


def _pending(replica: Json) -> bool:
    """Still replicating, unless a fault lets the operation succeed before the region is usable."""
    return bool(replica["state"] == "Replicating")


@event("versions.written")
def _written(arm: Sandbox, operation: Json, resource: Resource | None, **_: Any) -> None:
    """Raises the error with which Azure fails the operation where regions failed (azure-cli#15539)."""
    if resource is None:
        return
    failed = {name: replica["fails"]["message"] for name, replica in resource.private["replicas"].items() if replica["state"] == "Failed"}
    if failed:
        details = "', '".join(f"{{region:{name}, detail:{message}}}" for name, message in failed.items())
        raise ArmError(
            409,
            "InternalOperationError",
            "Gallery replication jobs failed in one or more regions. The failing regions' details are as follows: "
            f"'{details}'. If retry does not work, then please do an update by removing the failed regions and update again by adding "
            f"them back.",
        )


@event("versions.written.failed")
def _failed(arm: Sandbox, operation: Json, resource: Resource, error: Json) -> None:
    """A failed operation leaves no replica on its way."""
    if "fault" not in operation:
        return
    for replica in resource.private["replicas"].values():
        if replica["state"] == "Replicating":
            replica["state"] = "Failed"
            replica["fails"] = {"message": error["message"]}


def status(arm: Sandbox, version: Resource) -> Json:
    """replicationStatus: aggregatedState Unknown, InProgress, Completed or Failed; per region Replicating, Completed or Failed with
    whole percents."""
    summary = []
    for region in version.properties["publishingProfile"]["targetRegions"]:
        name = short(region["name"])
        replica = version.private["replicas"].get(name)
        if replica is None:
            summary.append({"region": name, "state": "Unknown", "progress": 0})
            continue
        state = replica["state"]
        if state == "Completed" and replica.get("usable_from", 0) > arm.now:
            state = "Replicating"
        one: Json = {"region": name, "state": state}
        if state == "Failed":
            one["details"] = f"Replication failed in this region due to '{replica['fails']['message']}'"
        one["progress"] = 100 if state == "Completed" else _progress(arm, replica)
        summary.append(one)
    states = {one["state"] for one in summary}
    if "Failed" in states and "Replicating" not in states:
        aggregated = "Failed"
    elif "Replicating" in states:
        aggregated = "InProgress"
    else:
        aggregated = "Completed" if states == {"Completed"} else "Unknown"
    return {"aggregatedState": aggregated, "summary": summary}


def _progress(arm: Sandbox, replica: Json) -> int:
    span = max(0.001, replica["end"] - replica["start"])
    return max(0, min(99, int(100 * (arm.now - replica["start"]) / span)))
