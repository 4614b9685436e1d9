"""What a script does to its own machine: the effects that guest.interpret finds, as they happen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import guest
from ..content import disk_content
from ..events import event
from ..wire import Json
from .power import boot, set_power

if TYPE_CHECKING:
    from ..sandbox import Sandbox
    from ..store import Resource


def _guest(arm: Sandbox, id: str) -> tuple[Resource | None, Any, Json | None]:
    machine = arm.store.resources.get(id)
    if machine is None or machine.private.get("power") != "running":
        return None, None, None
    disk = arm.resource(machine.private["os_disk"])
    return machine, disk, disk_content(disk) if disk is not None else None


@event("guest.deprovisioned")
def _deprovisioned(arm: Sandbox, id: str, user: bool) -> None:
    _, disk, content = _guest(arm, id)
    if content is not None:
        content["guest"]["deprovisioned"] = True
        if user:
            content["guest"]["users"] = []
        arm.store.touch(disk)


@event("guest.sysprep")
def _sysprep(arm: Sandbox, id: str, seconds: float, then: str, stuck: bool) -> None:
    _, disk, content = _guest(arm, id)
    if content is not None:
        content["guest"]["image_state"] = guest.UNDEPLOYABLE
        arm.store.touch(disk)
        if not stuck:
            arm.store.schedule(arm.now + seconds / arm.speed, "guest.sysprepped", id=id, then=then)


@event("guest.sysprepped")
def _sysprepped(arm: Sandbox, id: str, then: str) -> None:
    machine, disk, content = _guest(arm, id)
    if machine is None or content is None:
        return
    content["guest"]["image_state"] = guest.GENERALIZED
    arm.store.touch(disk)
    if then == "stop":
        arm.store.schedule(arm.now + arm.seconds("guest.shutdown", id, arm.count("boot")), "guest.stopped", id=id)
    elif then == "restart":
        boot(arm, machine)


@event("guest.stop")
def _stop(arm: Sandbox, id: str) -> None:
    arm.store.schedule(arm.now + arm.seconds("guest.shutdown", id, arm.count("boot")), "guest.stopped", id=id)


@event("guest.stopped")
def _stopped(arm: Sandbox, id: str) -> None:
    machine, _, _ = _guest(arm, id)
    if machine is not None:
        set_power(arm, machine, "stopped")


@event("guest.restart")
def _restart(arm: Sandbox, id: str) -> None:
    machine, _, _ = _guest(arm, id)
    if machine is not None:
        boot(arm, machine)
