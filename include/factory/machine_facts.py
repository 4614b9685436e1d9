"""An existing virtual machine, as far as a capture of it needs to know."""

from __future__ import annotations

from pydantic import ConfigDict

from include.factory.value import Architecture, Generation, MachineSecurity, OsType, Value


class MachineDisk(Value):
    model_config = ConfigDict(extra="ignore")

    lun: int | None = None
    """None for the OS disk."""
    size_gb: int = 0
    storage_account_type: str = "Premium_LRS"
    caching: str = "None"
    managed: bool = True
    """False for a disk that is a blob, or only on the host (ephemeral): neither has snapshots."""
    encryption_set: str | None = None
    """ARM id of the customer's disk encryption set."""


class MachineFacts(Value):
    id: str
    """ARM id."""
    location: str
    size: str
    """VM size, such as `Standard_D2s_v5`."""
    os_type: OsType
    security_type: MachineSecurity = "Standard"
    generation: Generation = "V1"
    architecture: Architecture = "x64"
    power: str = "unknown"
    """Power state: `running`, `stopped`, `deallocated` …"""
    generalized: bool = False
    """Marked as generalized: it can never start again."""
    os_disk: MachineDisk
    data_disks: tuple[MachineDisk, ...] = ()
    plan: dict[str, str] | None = None
    """Marketplace purchase plan; copies of the machine need it."""

    @property
    def name(self) -> str:
        return self.id.rpartition("/")[2]

    @property
    def resource_group(self) -> str:
        return self.id.split("/")[4]

    @property
    def luns(self) -> tuple[int, ...]:
        return tuple(sorted(disk.lun for disk in self.data_disks if disk.lun is not None))

    @property
    def disks(self) -> tuple[MachineDisk, ...]:
        return (self.os_disk, *self.data_disks)

    @property
    def size_gb(self) -> int:
        """Of all disks, as provisioned."""
        return sum(disk.size_gb for disk in self.disks)
