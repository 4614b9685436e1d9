"""A SAS of a disk, a snapshot or a disk restore point: granted for a time, revoked, run out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import operations
from ..blobs import disk_url
from ..content import DISK_RESTORE_POINT
from ..events import event
from ..registry import field, invalid
from ..wire import ArmError, Json, Response

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox
    from ..store import Resource

LONGEST = 4_294_967_295  # seconds
UPLOADING = {"ReadyToUpload": "ActiveUpload", "ActiveUpload": "ActiveUpload"}  # state -> state with a SAS


def begin_access(arm: Sandbox, call: Call, resource: Resource) -> Response:
    """Grant a SAS. Its duration counts in the clock's own seconds: it is a promise to the client, not a latency."""
    body = call.json()
    access, duration = body["access"], body["durationInSeconds"]
    if not 0 < duration <= LONGEST:
        raise invalid(f"The value {duration} of parameter durationInSeconds is not valid.", "durationInSeconds")
    state = resource.properties.get("diskState")
    if state == "Attached" and resource.type.endswith("/disks"):
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Cannot grant access to disk {resource.name}: it is attached to the running VM {resource.body.get('managedBy', '')}.",
        )
    if resource.type == DISK_RESTORE_POINT and access != "Read":
        raise ArmError(409, "OperationNotAllowed", f"The disk restore point {resource.name} can only be read.")
    if resource.private.get("completes_at", 0) > arm.now:
        raise ArmError(
            409, "OperationNotAllowed", f"{resource.name} is still being copied. Please retry when its completionPercent is 100."
        )
    if access == "Write" and state not in UPLOADING:
        raise ArmError(
            409, "OperationNotAllowed", f"Disk {resource.name} is in state {state}: only a disk created for upload can be written."
        )
    if access == "Read" and state in UPLOADING:
        raise ArmError(409, "OperationNotAllowed", f"Disk {resource.name} is in state {state}: its upload has not been completed.")
    if resource.properties.get("networkAccessPolicy") == "DenyAll":
        raise ArmError(
            409, "OperationNotAllowed", f"Export/upload of disk {resource.name} is not allowed because its networkAccessPolicy is DenyAll."
        )
    policy = arm.guid("sas", resource.key, arm.count("sas"))
    operation = operations.start(
        arm,
        call,
        resource,
        "beginGetAccess",
        then="disks.accessBegun",
        arguments={
            "policy": policy,
            "until": arm.now + duration,
            "access": access,
            "base": call.base,
            "secure": bool(field(body, "getSecureVMGuestStateSAS", bool, False)),
        },
        family="DiskOperations",
        exclusive=False,
    )
    return operations.accepted(arm, call, operation)


def check_uploaded(source: Resource) -> None:
    """Raises ArmError 409 for a disk whose bytes are not all there yet: nothing can be made from it."""
    if (state := source.properties.get("diskState")) in UPLOADING:
        raise ArmError(409, "OperationNotAllowed", f"The disk {source.name} cannot be a source because it is in state {state}.")


@event("disks.accessBegun")
def _access_begun(
    arm: Sandbox, operation: Json, resource: Resource | None, policy: str, until: float, access: str, base: str, secure: bool = False
) -> None:
    if resource is None:
        raise ArmError(404, "NotFound", "The disk was deleted.")
    # a disk restore point has no diskState, and its GUID in its name
    unique = resource.properties.get("uniqueId") or resource.name[-36:]
    name = unique.replace("-", "")
    query = f"sv=2018-03-28&sr=b&si={policy}&sig={arm.guid('signature', policy).replace('-', '')}"
    state = resource.properties.get("diskState")
    size = resource.properties.get("diskSizeBytes") or resource.private["size"] * 1024**3
    resource.private["access"] = {"policy": policy, "until": until, "state": resource.private.get("access", {}).get("state", state)}
    if state is not None:
        resource.properties["diskState"] = UPLOADING.get(state, "ActiveSAS")
    operation["output"] = {"accessSAS": disk_url(base, name, query)}
    if secure:
        operation["output"]["securityDataAccessSAS"] = disk_url(base, name, query, "vmgs")
    arm.store.set(
        f"sas.{policy}",
        {"id": resource.key, "from": arm.now, "until": until, "write": access == "Write", "bytes": size},
    )
    arm.store.touch(resource)
    arm.store.schedule(until, "disks.accessExpired", id=resource.key, policy=policy)


@event("disks.accessExpired")
def _access_expired(arm: Sandbox, id: str, policy: str) -> None:
    resource = arm.store.resources.get(id)
    if resource is not None and resource.private.get("access", {}).get("policy") == policy:
        revoke(arm, resource, ended=False)


def revoke(arm: Sandbox, resource: Resource, *, ended: bool) -> None:
    """The SAS is over. An upload is over with the call that ends it, not when its SAS has run out."""
    access = resource.private.pop("access", None)
    if access is not None:
        state = access["state"]
        if state is not None:
            resource.properties["diskState"] = "Unattached" if ended and state in UPLOADING else state
        arm.store.set(f"sas.{access['policy']}", None)
        arm.store.touch(resource)


def end_access(arm: Sandbox, call: Call, resource: Resource) -> Response:
    operation = operations.start(arm, call, resource, "endGetAccess", then="disks.accessEnded", family="DiskOperations", exclusive=False)
    return operations.accepted(arm, call, operation)
