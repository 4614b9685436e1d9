"""The machine an image is built on."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from include.factory.region import RegionName
from include.factory.value import DiskType, MachineSecurity, Pattern, Shorthand, Value, resource_id, spelled

Size = Annotated[
    str, Pattern(r"(?:Standard|Basic)_\w+", "a VM size", "Sizes are named like Standard_D2s_v5; `az vm list-skus` prints them.")
]
AddressPrefix = Annotated[
    str,
    Pattern(
        r"(?:\d{1,3}\.){3}\d{1,3}/(?:[89]|1\d|2[0-9])", "an address prefix", "Write a private range of /8 to /29, as in 10.250.0.0/24."
    ),
]
Caching = Annotated[Literal["None", "ReadOnly", "ReadWrite"], spelled("None", "ReadOnly", "ReadWrite")]


class OsDisk(Value):
    size_gb: int | None = Field(default=None, ge=4, le=4095)
    """Size in GiB; by default that of the base image."""
    storage_account_type: DiskType = "Premium_LRS"
    """Kind of the build machine's disk; the image's replicas have their own (`replicate.storage_account_type`)."""


class DataDisk(Value):
    lun: int = Field(ge=0, le=63)
    """Logical unit number; it stays the same on machines made from the image."""
    size_gb: int = Field(ge=1, le=2048)
    """Size in GiB; a gallery takes data disks of up to 2 TiB."""
    storage_account_type: DiskType = "Premium_LRS"
    """Kind of the build machine's disk."""
    caching: Caching = "None"
    """Host caching."""


class BuildMachine(Value):
    region: RegionName
    """Region of the build; it is the home region of the image, which always has it first."""
    sizes: Annotated[tuple[Size, ...], Shorthand(str, lambda size: [size]), Field(max_length=10)] = ()
    """VM sizes in order of preference: the next is taken when Azure has none of one. By default three common ones for the architecture."""
    zone: Literal["1", "2", "3"] | None = None
    """Availability zone, in quotes; by default Azure's choice."""
    subnet: Annotated[str, resource_id("Microsoft.Network/virtualNetworks/subnets")] | None = None
    """ARM id of an existing subnet; by default each run makes and removes its own network. The machine never has a public IP address."""
    address_prefix: AddressPrefix = "10.250.0.0/24"
    """Address range of the run's own network."""
    identities: tuple[Annotated[str, resource_id("Microsoft.ManagedIdentity/userAssignedIdentities")], ...] = ()
    """ARM ids of user-assigned managed identities, for scripts that read from storage or Key Vault."""
    spot: bool = False
    """Build on a spot machine, which is cheaper and may be evicted."""
    security_type: MachineSecurity | None = None
    """Security type of the build machine; by default what the image's own (`os.security_type`) needs."""
    os_disk: OsDisk = OsDisk()
    """OS disk of the machine, and of the image."""
    data_disks: tuple[DataDisk, ...] = ()
    """Data disks of the machine, and of the image."""
