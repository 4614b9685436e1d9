"""The short names of platform images (`Ubuntu2204`), as the document says that az reads before it makes a machine.

Source: `arm-compute/quickstart-templates/aliases.json` of azure-rest-api-specs; az finds it where the cloud's metadata says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..blobs import public_blob
from ..wire import Json, compact
from .catalogue import find, skus

if TYPE_CHECKING:
    from ..sandbox import Sandbox

PATH = "azcliprod/cli/vm/aliases.json"

# alias publisher offer sku
_ALIASES = """
AzureLinux4 microsoftazurelinux azurelinux-4 4
AzureLinux4Arm64 microsoftazurelinux azurelinux-4 4-arm64
AzureLinux4Gen1 microsoftazurelinux azurelinux-4 4-gen1
CentOS85Gen2 OpenLogic CentOS 8_5-gen2
Debian11 Debian debian-11 11-backports-gen2
FlatcarLinuxFreeGen2 kinvolk flatcar-container-linux-free stable-gen2
OpenSuseLeap154Gen2 SUSE openSUSE-leap-15-4 gen2
RHELRaw8LVMGen2 RedHat RHEL 8-lvm-gen2
SuseSles15SP3 SUSE sles-15-sp3 gen2
Ubuntu2204 Canonical 0001-com-ubuntu-server-jammy 22_04-lts-gen2
Win2022Datacenter MicrosoftWindowsServer WindowsServer 2022-datacenter-g2
Win2022AzureEditionCore MicrosoftWindowsServer WindowsServer 2022-datacenter-azure-edition-core
Win2019Datacenter MicrosoftWindowsServer WindowsServer 2019-datacenter-gensecond
Win2016Datacenter MicrosoftWindowsServer WindowsServer 2016-datacenter-gensecond
Win2012R2Datacenter MicrosoftWindowsServer WindowsServer 2012-R2-Datacenter
Win2012Datacenter MicrosoftWindowsServer WindowsServer 2012-Datacenter
"""


@public_blob(PATH)
def document(arm: Sandbox) -> bytes:
    """A template without resources whose output is the aliases, by operating system."""
    known = skus(arm)
    value: dict[str, Json] = {"Linux": {}, "Windows": {}}
    for line in _ALIASES.strip().splitlines():
        alias, publisher, offer, sku = line.split()
        key = find(arm, publisher, offer, sku)
        if key is not None:
            named = {"publisher": publisher, "offer": offer, "sku": sku, "version": "latest", "architecture": known[key].architecture}
            value[known[key].os_type][alias] = named
    return compact(
        {
            "$schema": "http://schema.management.azure.com/schemas/2015-01-01/deploymentTemplate.json",
            "contentVersion": "1.0.0.0",
            "parameters": {},
            "variables": {},
            "resources": [],
            "outputs": {"aliases": {"type": "object", "value": value}},
        }
    )
