"""Making a virtual machine of the first size that Azure has.

Where the making stands is read from the machine itself, so that a crash in the middle goes on and does not begin again: the size that
failed is in its hardware profile, whether it was built a second time already in its tags.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

from include.steps.arm_error import of_exception
from include.steps.azure import Azure
from include.steps.errors import StepError, classify
from include.steps.look import ATTEMPT_TAG, RUN_TAG, Found, Resource, look, settle, taken
from include.steps.machine_body import attached_storage, image_storage, virtual_machine_body
from include.steps.machine_state import agent_ready, failure, is_generalized, power_state, read_machine

log = logging.getLogger(__name__)

REBUILT_TAG = "image-factory-rebuilt"
# With one of these another size may do; quota is counted by family.
NO_CAPACITY = {
    "SkuNotAvailable",
    "AllocationFailed",
    "ZonalAllocationFailed",
    "OverconstrainedAllocationRequest",
    "OverconstrainedZonalAllocationRequest",
    "QuotaExceeded",
}


def _no_capacity(error: StepError) -> bool:
    return error.code in NO_CAPACITY or (error.code == "OperationNotAllowed" and "quota" in error.message.lower())


@dataclass
class Creation:
    """One machine to be; the fields are those of ``virtual_machine.create``."""

    azure: Azure
    resource_group: str
    name: str
    location: str
    sizes: list[str]
    source: dict[str, Any]
    os_type: str
    os_state: str
    security_type: str
    subnet_id: str
    os_disk: dict[str, Any]
    data_disks: list[dict[str, Any]]
    identities: list[str]
    spot: bool
    computer_name: str
    tags: dict[str, str]
    zone: str | None
    plan: dict[str, str] | None
    public_key: str | None
    attempt: int
    tried: list[str] = field(default_factory=list)
    rebuilt: bool = False
    last: StepError | None = None

    async def run(self) -> dict[str, Any]:
        run = self.tags.get(RUN_TAG)
        while True:
            found, machine = await settle(lambda: read_machine(self.azure, self.resource_group, self.name), run, timeout=3600)
            if machine is None:
                await self.make(self.next_size())
            elif found is Found.FOREIGN:
                raise taken(machine)
            elif self.is_spent(machine, found):
                log.warning("Machine %s of an earlier attempt is of no use any more (%s): making it anew.", self.name, power_state(machine))
                await self.delete()
            elif found is Found.DONE or agent_ready(machine):
                return self.done(machine)
            else:
                await self.after_failure(machine)

    def is_spent(self, machine: Resource, found: Found) -> bool:
        """A machine that an earlier attempt of this task left and that no stage can work on: that attempt was cleared to have a new one."""
        if int((machine.get("tags") or {}).get(ATTEMPT_TAG, "1")) >= self.attempt:
            return False
        return found is Found.FAILED or is_generalized(machine) or power_state(machine) in ("stopped", "deallocated", "deallocating")

    def done(self, machine: Resource) -> dict[str, Any]:
        properties = machine["properties"]
        size = properties["hardwareProfile"]["vmSize"]
        log.info("Machine %s is there (%s).", self.name, size)
        return {"id": machine["id"], "size": size, "vm_id": properties.get("vmId")}

    def next_size(self) -> str:
        tried = {size.lower() for size in self.tried}
        for size in self.sizes:
            if size.lower() not in tried:
                return size
        last = self.last or StepError("permanent", "SkuNotAvailable", "No size is named", "Name at least one VM size in the recipe.")
        raise StepError(
            last.kind, last.code, f"Azure has none of {', '.join(self.sizes)} in {self.location}: {last.message}", last.cure, last.status
        )

    async def make(self, size: str) -> None:
        """Start the machine and wait. A refusal by size is remembered; what became of the machine is for the next look to see."""
        from azure.core import MatchConditions

        ordinal = len(self.tried) + (len(self.sizes) if self.rebuilt else 0)
        body = await virtual_machine_body(
            name=self.name,
            # An interface whose machine failed is reserved for it for 180 s (NicReservedForAnotherVm): a new machine gets a new one.
            nic=f"{self.name}-nic-{ordinal}" if ordinal else f"{self.name}-nic",
            location=self.location,
            size=size,
            storage=await self.storage(),
            os_type=self.os_type,
            specialized=self.os_state.lower() == "specialized" or "snapshot" in self.source,
            security_type=self.security_type,
            subnet_id=self.subnet_id,
            identities=self.identities,
            spot=self.spot,
            computer_name=self.computer_name,
            tags={
                **self.tags,
                ATTEMPT_TAG: str(self.attempt),
                **({REBUILT_TAG: "true"} if self.rebuilt else {}),
            },
            zone=self.zone,
            plan=self.plan,
            public_key=self.public_key,
        )
        log.info("Making machine %s (%s) in %s.", self.name, size, self.location)
        machines = self.azure.compute.virtual_machines
        try:
            # Only when there is none: a second PUT would carry another throwaway key, and disturb the first.
            await self.azure.finish(
                machines.begin_create_or_update,
                self.resource_group,
                self.name,
                body,
                match_condition=MatchConditions.IfMissing,
                kind="virtualMachines PUT",
            )
        except Exception as error:
            refusal = of_exception(error)
            self.last = refusal
            if refusal.status is not None or refusal.kind == "adopt":
                if refusal.code == "PropertyChangeNotAllowed":
                    refusal = StepError(
                        "adopt",
                        refusal.code,
                        refusal.message,
                        "Nothing: another try made the machine; it is looked at. If the task failed, clear it.",
                        409,
                    )
                if not _no_capacity(refusal):
                    raise refusal from error
                log.warning("%s: %s", size, refusal.message)
                self.tried.append(size)

    async def after_failure(self, machine: Resource) -> None:
        """The machine is ``Failed``: it goes, and the next size comes, or the same once more."""
        size = machine["properties"]["hardwareProfile"]["vmSize"]
        error = classify(None, failure(machine))
        if self.last is not None and self.last.status is None and self.last.kind != "adopt":
            error = self.last  # the operation's own words
        self.last = error
        if _no_capacity(error):
            known = [one.lower() for one in self.sizes]
            self.tried = self.sizes[: known.index(size.lower()) + 1] if size.lower() in known else self.tried
            log.warning("%s: %s", size, error.message)
        elif REBUILT_TAG in (machine.get("tags") or {}):
            raise error
        else:
            log.warning("%s Building the machine once more.", error)
            self.rebuilt = True
        await self.delete()

    async def delete(self) -> None:
        machines = self.azure.compute.virtual_machines
        await self.azure.finish(machines.begin_delete, self.resource_group, self.name, force_deletion=True, kind="virtualMachines DELETE")

    async def storage(self) -> dict[str, Any]:
        snapshots = self.source.get("snapshot")
        if snapshots is None:
            return image_storage(
                image_reference=self.source["image_reference"],
                os_disk=self.os_disk,
                data_disks=self.data_disks,
                security_type=self.security_type,
            )
        sku = self.os_disk["storage_account_type"]
        types = {int(disk["lun"]): disk["storage_account_type"] for disk in self.data_disks}
        data = {int(lun): snapshot for lun, snapshot in (snapshots.get("data") or {}).items()}
        os_disk, *data_ids = await asyncio.gather(
            self.disk(f"{self.name}-os", snapshots["os"], sku, self.os_disk.get("size_gb"), system=True),
            *(self.disk(f"{self.name}-lun{lun}", snapshot, types.get(lun, sku), None) for lun, snapshot in data.items()),
        )
        return attached_storage(
            os_type=self.os_type,
            os_disk=os_disk,
            from_snapshots=dict(zip(data, data_ids, strict=True)),
            data_disks=self.data_disks,
            security_type=self.security_type,
        )

    async def disk(self, name: str, snapshot: str, sku: str, size_gb: int | None, system: bool = False) -> str:
        """A disk from a snapshot, made when it is missing; its ARM id."""
        disks = self.azure.compute.disks
        found, disk = await settle(lambda: look(disks.get(self.resource_group, name)), self.tags.get(RUN_TAG))
        if found is Found.FOREIGN:
            raise taken(disk)
        if found is not Found.DONE:
            properties: dict[str, Any] = {"creationData": {"createOption": "Copy", "sourceResourceId": snapshot}}
            if size_gb:
                properties["diskSizeGB"] = size_gb
            if system and self.security_type == "TrustedLaunch":
                properties["securityProfile"] = {"securityType": self.security_type}
            body: dict[str, Any] = {"location": self.location, "tags": self.tags, "sku": {"name": sku}, "properties": properties}
            if self.zone:
                body["zones"] = [self.zone]
            await self.azure.finish(disks.begin_create_or_update, self.resource_group, name, body, kind="disks PUT")
        return self.azure.id(self.resource_group, "disks", name)
