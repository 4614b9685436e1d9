"""The platform images that the sandbox knows: a selection of Azure's marketplace, and what was published to it since."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .. import vintages
from ..wire import Json

if TYPE_CHECKING:
    from ..sandbox import Sandbox

# publisher offer sku | OS type, generation, architecture, SecurityType feature, OS disk GB, traits
#     the guest's name | the guest's version | the sku's versions, oldest first
# Traits: A automatic OS upgrade, N NVMe besides SCSI, H hibernation, P a purchase plan (named after the sku); "-" none of them, "!" no
# features at all.
_TABLE = """
Canonical ubuntu-24_04-lts server | Linux V2 x64 TL 30 NH
    ubuntu | 24.04 | 24.04.202508180 24.04.202509160 24.04.202510140 24.04.202511110
Canonical ubuntu-24_04-lts server-gen1 | Linux V1 x64 - 30 NH
    ubuntu | 24.04 | 24.04.202510140 24.04.202511110
Canonical ubuntu-24_04-lts server-arm64 | Linux V2 Arm64 TL 30 N
    ubuntu | 24.04 | 24.04.202510140 24.04.202511110
Canonical ubuntu-24_04-lts minimal | Linux V2 x64 TL 30 NH
    ubuntu | 24.04 | 24.04.202510140 24.04.202511110
Canonical ubuntu-24_04-lts cvm | Linux V2 x64 CVM 30 N
    ubuntu | 24.04 | 24.04.202510140 24.04.202511110
Canonical 0001-com-ubuntu-server-jammy 22_04-lts-gen2 | Linux V2 x64 TL 30 NH
    ubuntu | 22.04 | 22.04.202408010 22.04.202508140 22.04.202509110 22.04.202510150
Canonical 0001-com-ubuntu-server-jammy 22_04-lts | Linux V1 x64 - 30 NH
    ubuntu | 22.04 | 22.04.202408010 22.04.202509110 22.04.202510150
Canonical 0001-com-ubuntu-server-jammy 22_04-lts-arm64 | Linux V2 Arm64 TL 30 N
    ubuntu | 22.04 | 22.04.202408010 22.04.202510150
Canonical 0001-com-ubuntu-server-focal 20_04-lts-gen2 | Linux V2 x64 TL 30 NH
    ubuntu | 20.04 | 20.04.202407160 20.04.202505200
Canonical 0001-com-ubuntu-server-focal 20_04-lts | Linux V1 x64 - 30 NH
    ubuntu | 20.04 | 20.04.202407160 20.04.202505200
Canonical 0001-com-ubuntu-confidential-vm-jammy 22_04-lts-cvm | Linux V2 x64 CVM 30 N
    ubuntu | 22.04 | 22.04.202509110 22.04.202510150
Canonical 0001-com-ubuntu-confidential-vm-focal 20_04-lts-cvm | Linux V2 x64 CVM 30 N
    ubuntu | 20.04 | 20.04.202407160 20.04.202505200
Canonical UbuntuServer 18.04-LTS | Linux V1 x64 - 30 ANH
    ubuntu | 18.04 | 18.04.202106220 18.04.202401161
Canonical UbuntuServer 18_04-lts-gen2 | Linux V2 x64 TL 30 ANH
    ubuntu | 18.04 | 18.04.202401161
Canonical UbuntuServer 16.04.0-LTS | Linux V1 x64 - 30 A
    ubuntu | 16.04 | 16.04.202009220
Canonical UbuntuServer 16.04-LTS | Linux V1 x64 - 30 A
    ubuntu | 16.04 | 16.04.202109280
Canonical UbuntuServer 14.04.2-LTS | Linux V1 x64 - 30 -
    ubuntu | 14.04 | 14.04.201911070
MicrosoftWindowsServer WindowsServer 2012-Datacenter | Windows V1 x64 - 127 A
    Windows Server 2012 Datacenter | 6.2.9200 | 9200.23810.2208020535 9200.24523.231004
MicrosoftWindowsServer WindowsServer 2012-R2-Datacenter | Windows V1 x64 - 127 A
    Windows Server 2012 R2 Datacenter | 6.3.9600 | 9600.19817.2009040500 9600.19847.2010090140 9600.21620.231004
MicrosoftWindowsServer WindowsServer 2016-Datacenter | Windows V1 x64 - 127 AH
    Windows Server 2016 Datacenter | 10.0.14393 | 14393.3930.2009041537 14393.5427.221005 14393.8519.251009
MicrosoftWindowsServer WindowsServer 2016-datacenter-gensecond | Windows V2 x64 TL 127 AH
    Windows Server 2016 Datacenter | 10.0.14393 | 14393.8519.251009
MicrosoftWindowsServer WindowsServer 2019-Datacenter | Windows V1 x64 - 127 AH
    Windows Server 2019 Datacenter | 10.0.17763 | 2019.0.20190115 17763.7919.251009
MicrosoftWindowsServer WindowsServer 2019-datacenter-gensecond | Windows V2 x64 TL+CVM 127 AH
    Windows Server 2019 Datacenter | 10.0.17763 | 17763.7919.251009
MicrosoftWindowsServer WindowsServer 2022-datacenter-g2 | Windows V2 x64 TL+CVM 127 ANH
    Windows Server 2022 Datacenter | 10.0.20348 | 20348.4171.250903 20348.4294.251009 20348.4405.251105
MicrosoftWindowsServer WindowsServer 2022-datacenter-azure-edition | Windows V2 x64 TL+CVM 127 ANH
    Windows Server 2022 Datacenter Azure Edition | 10.0.20348 | 20348.4294.251009 20348.4405.251105
MicrosoftWindowsServer WindowsServer 2022-datacenter-azure-edition-core | Windows V2 x64 TL+CVM 127 ANH
    Windows Server 2022 Datacenter Azure Edition | 10.0.20348 | 20348.4294.251009 20348.4405.251105
MicrosoftWindowsServer WindowsServer 2022-datacenter-azure-edition-hotpatch | Windows V2 x64 TL+CVM 127 ANH
    Windows Server 2022 Datacenter Azure Edition | 10.0.20348 | 20348.4294.251009 20348.4405.251105
MicrosoftWindowsServer WindowsServer 2022-datacenter-smalldisk-g2 | Windows V2 x64 TL+CVM 30 ANH
    Windows Server 2022 Datacenter | 10.0.20348 | 20348.4294.251009 20348.4405.251105
MicrosoftWindowsServer WindowsServer 2022-datacenter | Windows V1 x64 - 127 ANH
    Windows Server 2022 Datacenter | 10.0.20348 | 20348.4294.251009 20348.4405.251105
MicrosoftWindowsServer WindowsServer 2025-datacenter-g2 | Windows V2 x64 TL+CVM 127 ANH
    Windows Server 2025 Datacenter | 10.0.26100 | 26100.6584.250904 26100.6899.251010 26100.7171.251106
MicrosoftWindowsServer WindowsServer 2025-datacenter-azure-edition | Windows V2 x64 TL+CVM 127 ANH
    Windows Server 2025 Datacenter Azure Edition | 10.0.26100 | 26100.6899.251010 26100.7171.251106
RedHat RHEL 9-lvm-gen2 | Linux V2 x64 TL 64 NH
    redhat | 9.6 | 9.5.2024120516 9.6.2025062314
RedHat RHEL 8-lvm-gen2 | Linux V2 x64 TL 64 NH
    redhat | 8.10 | 8.10.2024070513 8.10.2025021010
RedHat RHEL 7-LVM | Linux V1 x64 - 64 -
    redhat | 7.9 | 7.9.2023032012
redhat rhel-byos rhel-lvm9-gen2 | Linux V2 x64 TL 64 NP
    redhat | 9.6 | 9.5.2024120516 9.6.2025062314
redhat rhel-byos rhel-lvm94-gen2 | Linux V2 x64 TL 64 NP
    redhat | 9.4 | 9.4.2024111212 9.4.2025040815
Debian debian-10 10 | Linux V1 x64 - 30 -
    debian | 10 | 0.20240430.1733
Debian debian-11 11-backports-gen2 | Linux V2 x64 TL 30 N
    debian | 11 | 0.20240211.1654 0.20250701.2162
Debian debian-11 11-gen2 | Linux V2 x64 TL 30 N
    debian | 11 | 0.20240211.1654 0.20250701.2162
Debian debian-12 12-gen2 | Linux V2 x64 TL 30 N
    debian | 12 | 0.20250814.2204 0.20251006.2257
Debian debian-13 13-gen2 | Linux V2 x64 TL 30 N
    debian | 13 | 0.20250911.2232 0.20251006.2257
OpenLogic CentOS 7.5 | Linux V1 x64 - 30 !A
    centos | 7.5.1804 | 7.5.201808150
OpenLogic CentOS 7_9-gen2 | Linux V2 x64 - 30 A
    centos | 7.9.2009 | 7.9.2023030700
OpenLogic CentOS 8_5-gen2 | Linux V2 x64 TL 30 -
    centos | 8.5.2111 | 8.5.2022101401
SUSE sles-15-sp6 gen2 | Linux V2 x64 TL 30 N
    suse | 15.6 | 2025.08.12 2025.10.07
SUSE sles-15-sp3 gen2 | Linux V2 x64 TL 30 -
    suse | 15.3 | 2023.11.28
SUSE opensuse-leap-15-4 gen2 | Linux V2 x64 TL 30 -
    opensuse | 15.4 | 2023.07.31
almalinux almalinux-x86_64 9-gen2 | Linux V2 x64 TL 30 N
    almalinux | 9.6 | 9.6.202505220 9.6.202508110
resf rockylinux-x86_64 9-base | Linux V2 x64 TL 10 NP
    rocky | 9.4 | 9.3.20231113 9.4.20240509
center-for-internet-security-inc cis-ubuntu cis-ubuntulinux2204-l1-gen2 | Linux V2 x64 TL 30 P
    ubuntu | 22.04 | 1.0.4 1.0.7
center-for-internet-security-inc cis-ubuntu cis-ubuntulinux2404-l1-gen2 | Linux V2 x64 TL 30 P
    ubuntu | 24.04 | 1.0.2 1.0.5
center-for-internet-security-inc cis-windows-server cis-windows-server2022-l1-gen2 | Windows V2 x64 TL 127 P
    Windows Server 2022 Datacenter | 10.0.20348 | 4.0.8 4.0.11
microsoftazurelinux azurelinux-4 4 | Linux V2 x64 TL 5 N
    azurelinux | 4.0 | 4.0.20260807 4.0.20261009
microsoftazurelinux azurelinux-4 4-gen1 | Linux V1 x64 - 5 N
    azurelinux | 4.0 | 4.0.20261009
microsoftazurelinux azurelinux-4 4-arm64 | Linux V2 Arm64 TL 5 N
    azurelinux | 4.0 | 4.0.20261009
kinvolk flatcar-container-linux-free stable-gen2 | Linux V2 x64 TL 30 NP
    flatcar | 4152.2 | 4152.2.1 4230.2.3
kinvolk flatcar-container-linux-corevm-amd64 stable-gen2 | Linux V2 x64 TL 30 N
    flatcar | 4152.2 | 4152.2.1 4230.2.3
"""
_SECURITY = {
    "-": None,
    "TL": "TrustedLaunchSupported",
    "CVM": "ConfidentialVmSupported",
    "TL+CVM": "TrustedLaunchAndConfidentialVmSupported",
}

Key = tuple[str, str, str]  # publisher, offer, sku


@dataclass(frozen=True)
class Platform:
    """One sku of the marketplace. `security` is its SecurityType feature; `versions` are oldest first; `features` are the
    others that it names; `upgrades`: whether it supports automatic OS upgrades."""

    os_type: str
    generation: str
    architecture: str
    security: str | None
    size_gb: int
    os_name: str
    os_version: str
    versions: tuple[str, ...]
    features: tuple[tuple[str, str], ...] = ()
    upgrades: bool = False
    plan: tuple[str, str, str] | None = None
    """Name, product and publisher of its purchase plan."""

    @property
    def managed(self) -> bool:
        """Recorded: Azure keeps first-generation images as unmanaged replicas, and all others as managed ones."""
        return self.generation == "V2"

    def properties(self, version: str) -> Json:
        """An image version's properties as that api-version shows them (recorded: azure-cli, 2022 to 2025)."""
        shown: Json = {
            "hyperVGeneration": self.generation,
            "architecture": self.architecture,
            "replicaType": "Managed" if self.managed else "Unmanaged",
        }
        if self.managed:
            shown["replicaCount"] = 10
        shown |= {
            "disallowed": {"vmDiskType": "Unmanaged" if self.managed else "None"},
            "automaticOSUpgradeProperties": {"automaticOSUpgradeSupported": self.upgrades},
            "imageDeprecationStatus": {"imageState": "Active"},
        }
        features = ((("SecurityType", self.security),) if self.security else ()) + self.features
        if features:
            shown["features"] = [{"name": name, "value": value} for name, value in features]
        if self.plan:
            shown["plan"] = dict(zip(("name", "product", "publisher"), self.plan, strict=True))
        disk: Json = {"operatingSystem": self.os_type}
        if self.managed or version < "2023-07-01":
            disk["sizeInGb"] = self.size_gb
        if not self.managed:
            disk["sizeInBytes"] = self.size_gb * 1024**3
        return vintages.shown("Microsoft.Compute/locations/publishers", version, {**shown, "osDiskImage": disk, "dataDiskImages": []})


def _read() -> dict[Key, Platform]:
    made: dict[Key, Platform] = {}
    rows = _TABLE.strip().splitlines()
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        key, facts = first.split("|")
        name, number, known = (part.strip() for part in second.split("|"))
        publisher, offer, sku = key.split()
        os_type, generation, architecture, security, size, traits = facts.split()
        features = (
            ("IsAcceleratedNetworkSupported", "True"),
            ("DiskControllerTypes", "SCSI, NVMe" if "N" in traits else "SCSI"),
            ("IsHibernateSupported", str("H" in traits)),
        )
        made[publisher, offer, sku] = Platform(
            os_type,
            generation,
            architecture,
            _SECURITY[security],
            int(size),
            name,
            number,
            tuple(known.split()),
            () if "!" in traits else features,
            "A" in traits,
            (sku, offer, publisher) if "P" in traits else None,
        )
    return made


_BUILT_IN = _read()


def skus(arm: Sandbox) -> dict[Key, Platform]:
    """Every sku, with all its versions."""
    published: list[Json] = arm.store.settings.get("published", [])
    if not published:
        return _BUILT_IN
    made = dict(_BUILT_IN)
    for entry in published:
        if "sku" not in entry:
            continue
        key = (entry["publisher"], entry["offer"], entry["sku"])
        if key not in made:  # a new sku
            made[key] = _platform(key, entry.get("properties", {}))
        if "version" not in entry:
            continue
        made[key] = replace(made[key], versions=tuple(sorted({*made[key].versions, entry["version"]}, key=numbers)))
    return made


def numbers(version: str) -> list[int]:
    """A version's parts as numbers, for comparing."""
    return [int(part) if part.isdigit() else -1 for part in version.split(".")]


def find(arm: Sandbox, publisher: str, offer: str, sku: str) -> Key | None:
    """The catalogue's key without regard to case."""
    wanted = (publisher.lower(), offer.lower(), sku.lower())
    return next((key for key in skus(arm) if (key[0].lower(), key[1].lower(), key[2].lower()) == wanted), None)


def _platform(key: Key, properties: Json) -> Platform:
    disk = properties.get("osDiskImage", {})
    features = {str(one["name"]): str(one["value"]) for one in properties.get("features", ())}
    size = int(disk.get("sizeInGb") or 0) or int(disk.get("sizeInBytes") or 30 * 1024**3) >> 30
    return Platform(
        disk.get("operatingSystem", "Linux"),
        properties.get("hyperVGeneration", "V1"),
        properties.get("architecture", "x64"),
        features.pop("SecurityType", None),
        size,
        key[1],
        key[2],
        (),
        tuple(features.items()),
        bool(properties.get("automaticOSUpgradeProperties", {}).get("automaticOSUpgradeSupported")),
        (plan["name"], plan["product"], plan["publisher"]) if (plan := properties.get("plan")) else None,
    )


def named(arm: Sandbox, *names: str) -> list[str]:
    """What there is below a publisher, or an offer of his: the names of offers or skus, sorted. Without a name: the publishers of images.
    None of them need have a version yet."""
    paths: list[tuple[str, ...]] = [*skus(arm), *_shelves(arm)]
    wanted = tuple(name.lower() for name in names)
    depth = len(wanted)
    below = (path for path in paths if len(path) > depth and tuple(name.lower() for name in path[:depth]) == wanted)
    return sorted({path[depth] for path in below})


def _shelves(arm: Sandbox) -> list[tuple[str, ...]]:
    """The publishers and offers that were published for themselves."""
    published: list[Json] = arm.store.settings.get("published", [])
    return [tuple(entry[name] for name in ("publisher", "offer") if name in entry) for entry in published if "type" not in entry]


def publish(arm: Sandbox, image: Json) -> Json:
    """Publish a version: {"publisher", "offer", "sku", "version"}, and for a new sku "properties" as Azure shows an image's. With fewer
    names, of which the first must be there: a publisher, an offer or a sku that has nothing yet. {"publisher", "type", "version",
    "properties"} publishes an extension.

    Raises ValueError for an unknown sku without properties, or a malformed version.
    """
    names = ("publisher", "type", "version") if "type" in image else ("publisher", "offer", "sku", "version")
    entry: Json = {name: str(image[name]) for name in names if image.get(name)}
    if list(entry) != list(names[: len(entry)]) or not entry:
        raise ValueError(f"of {', '.join(names)} the first ones must be there, not only {', '.join(entry) or 'none'}")
    if "version" in entry and -1 in numbers(entry["version"]):
        raise ValueError(f"version must be numbers joined by dots, not {entry['version']!r}")
    key = find(arm, entry["publisher"], entry["offer"], entry["sku"]) if "sku" in entry else None
    if key is not None:
        entry |= {"publisher": key[0], "offer": key[1], "sku": key[2]}
    elif isinstance(image.get("properties"), dict):
        entry["properties"] = image["properties"]
    elif "offer" in entry and "version" in entry:
        raise ValueError(f"no platform image {':'.join(entry.values())} in the sandbox's catalogue; a new sku needs properties")
    arm.store.set("published", [*arm.store.settings.get("published", []), entry])
    return entry
