"""Platform images: publishers, offers, skus, versions. A small catalogue; newer versions are published by the control API or `publish`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..registry import route
from ..wire import JSON_TYPE, ArmError, Json, Response, pretty

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

# publisher offer sku | OS type, generation, architecture, SecurityType feature, OS disk GB
#     the guest's name | the guest's version | the sku's versions, oldest first
_TABLE = """
Canonical ubuntu-24_04-lts server | Linux V2 x64 TL 30
    ubuntu | 24.04 | 24.04.202508180 24.04.202509160 24.04.202510140 24.04.202511110
Canonical ubuntu-24_04-lts server-gen1 | Linux V1 x64 - 30
    ubuntu | 24.04 | 24.04.202510140 24.04.202511110
Canonical ubuntu-24_04-lts server-arm64 | Linux V2 Arm64 TL 30
    ubuntu | 24.04 | 24.04.202510140 24.04.202511110
Canonical ubuntu-24_04-lts minimal | Linux V2 x64 TL 30
    ubuntu | 24.04 | 24.04.202510140 24.04.202511110
Canonical 0001-com-ubuntu-server-jammy 22_04-lts-gen2 | Linux V2 x64 TL 30
    ubuntu | 22.04 | 22.04.202508140 22.04.202509110 22.04.202510150
Canonical 0001-com-ubuntu-server-jammy 22_04-lts | Linux V1 x64 - 30
    ubuntu | 22.04 | 22.04.202509110 22.04.202510150
Canonical 0001-com-ubuntu-confidential-vm-jammy 22_04-lts-cvm | Linux V2 x64 CVM 30
    ubuntu | 22.04 | 22.04.202509110 22.04.202510150
MicrosoftWindowsServer WindowsServer 2022-datacenter-g2 | Windows V2 x64 TL+CVM 127
    Windows Server 2022 Datacenter | 10.0.20348 | 20348.4171.250903 20348.4294.251009 20348.4405.251105
MicrosoftWindowsServer WindowsServer 2022-datacenter-azure-edition | Windows V2 x64 TL+CVM 127
    Windows Server 2022 Datacenter Azure Edition | 10.0.20348 | 20348.4294.251009 20348.4405.251105
MicrosoftWindowsServer WindowsServer 2022-datacenter | Windows V1 x64 - 127
    Windows Server 2022 Datacenter | 10.0.20348 | 20348.4294.251009 20348.4405.251105
MicrosoftWindowsServer WindowsServer 2025-datacenter-g2 | Windows V2 x64 TL+CVM 127
    Windows Server 2025 Datacenter | 10.0.26100 | 26100.6584.250904 26100.6899.251010 26100.7171.251106
MicrosoftWindowsServer WindowsServer 2025-datacenter-azure-edition | Windows V2 x64 TL+CVM 127
    Windows Server 2025 Datacenter Azure Edition | 10.0.26100 | 26100.6899.251010 26100.7171.251106
RedHat RHEL 9-lvm-gen2 | Linux V2 x64 TL 64
    redhat | 9.6 | 9.5.2024120516 9.6.2025062314
RedHat RHEL 8-lvm-gen2 | Linux V2 x64 TL 64
    redhat | 8.10 | 8.10.2024070513 8.10.2025021010
Debian debian-12 12-gen2 | Linux V2 x64 TL 30
    debian | 12 | 0.20250814.2204 0.20251006.2257
Debian debian-13 13-gen2 | Linux V2 x64 TL 30
    debian | 13 | 0.20250911.2232 0.20251006.2257
SUSE sles-15-sp6 gen2 | Linux V2 x64 TL 30
    suse | 15.6 | 2025.08.12 2025.10.07
"""
_SECURITY = {
    "-": None,
    "TL": "TrustedLaunchSupported",
    "CVM": "ConfidentialVmSupported",
    "TL+CVM": "TrustedLaunchAndConfidentialVmSupported",
}

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Platform:
    """One sku of the marketplace. `security` is its SecurityType feature; `versions` are those it starts with, oldest first; `features` the
    others that it tells of; `upgrades`: whether it supports automatic OS upgrades."""

    os_type: str
    generation: str
    architecture: str
    security: str | None
    size_gb: int
    os_name: str
    os_version: str
    versions: tuple[str, ...]
    features: tuple[tuple[str, str], ...] | None = None
    upgrades: bool = False


def _catalogue() -> dict[Key, Platform]:
    made: dict[Key, Platform] = {}
    rows = _TABLE.strip().splitlines()
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        key, traits = first.split("|")
        name, number, known = (part.strip() for part in second.split("|"))
        publisher, offer, sku = key.split()
        os_type, generation, architecture, security, size = traits.split()
        versions = tuple(known.split())
        made[publisher, offer, sku] = Platform(os_type, generation, architecture, _SECURITY[security], int(size), name, number, versions)
    return made


CATALOGUE = _catalogue()


def numbers(version: str) -> list[int]:
    """A version's parts as numbers, for comparing."""
    return [int(part) if part.isdigit() else -1 for part in version.split(".")]


def _published(arm: Sandbox) -> dict[Key, list[Json]]:
    """What was published since the start, by sku, oldest first."""
    found: dict[Key, list[Json]] = {}
    for entry in arm.store.settings.get("published", []):
        found.setdefault((entry["publisher"], entry["offer"], entry["sku"]), []).append(entry)
    return found


def catalogue(arm: Sandbox) -> dict[Key, Platform]:
    """Every sku: those that the sandbox starts with, and those published since."""
    published = _published(arm)
    return {**CATALOGUE, **{key: _platform(key, entries[0]["properties"]) for key, entries in published.items() if key not in CATALOGUE}}


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
    )


def versions(arm: Sandbox, key: Key) -> list[str]:
    """All versions of a sku, oldest first."""
    published = [entry["version"] for entry in _published(arm).get(key, ())]
    return sorted({*catalogue(arm)[key].versions, *published}, key=numbers)


def find(arm: Sandbox, publisher: str, offer: str, sku: str) -> Key | None:
    """The catalogue's key without regard to case."""
    wanted = (publisher.lower(), offer.lower(), sku.lower())
    return next((key for key in catalogue(arm) if (key[0].lower(), key[1].lower(), key[2].lower()) == wanted), None)


def publish(arm: Sandbox, image: Json) -> Json:
    """Publish a version: {"publisher", "offer", "sku", "version"}, and for a new sku "properties" as Azure shows an image's.

    Raises ValueError for an unknown sku without properties, or a malformed version.
    """
    given = {name: str(image.get(name, "")) for name in ("publisher", "offer", "sku", "version")}
    if not all(given.values()) or -1 in numbers(given["version"]):
        raise ValueError(f"publisher, offer and sku must be there, and version must be numbers joined by dots, not {given['version']!r}")
    key = find(arm, given["publisher"], given["offer"], given["sku"])
    entry: Json = dict(given)
    if key is not None:
        entry |= {"publisher": key[0], "offer": key[1], "sku": key[2]}
    elif not isinstance(image.get("properties"), dict):
        raise ValueError(
            f"no platform image {given['publisher']}:{given['offer']}:{given['sku']} in the sandbox's catalogue; a new one needs properties"
        )
    else:
        entry["properties"] = image["properties"]
    arm.store.set("published", [*arm.store.settings.get("published", []), entry])
    return entry


def resolve(arm: Sandbox, reference: Json) -> tuple[tuple[str, str, str], str]:
    """An imageReference's sku and exact version. Raises ArmError 404 PlatformImageNotFound or 400 InvalidParameter."""
    parts = [reference.get(name) for name in ("publisher", "offer", "sku", "version")]
    for name, value in zip(("publisher", "offer", "sku", "version"), parts, strict=True):
        if not isinstance(value, str) or not value:
            raise ArmError(
                400, "InvalidParameter", f"Required parameter 'imageReference.{name}' is missing (null).", target=f"imageReference.{name}"
            )
    publisher, offer, sku, version = (str(part) for part in parts)
    key = find(arm, publisher, offer, sku)
    known = versions(arm, key) if key is not None else []
    if key is None or (version.lower() != "latest" and version not in known):
        raise ArmError(
            404,
            "PlatformImageNotFound",
            f"The platform image '{publisher}:{offer}:{sku}:{version}' is not available. Verify that all fields in the storage profile "
            f"are correct. "
            "For more details about storage profile information, please refer to https://aka.ms/storageprofile",
            target="imageReference",
        )
    return key, known[-1] if version.lower() == "latest" else version


def _entry(call: Call, subscription: str, location: str, path: str, properties: Json | None = None) -> Json:
    made: Json = {"properties": properties} if properties is not None else {}
    id = f"/Subscriptions/{subscription}/Providers/Microsoft.Compute/Locations/{location}/Publishers/{path}"
    return {**made, "location": location, "name": path.rsplit("/", 1)[1] if "/" in path else path, "id": id}


def _list(call: Call, found: list[Json], *, ordered: bool = False) -> Response:
    order = call.query.get("$orderby", "").lower()
    if order.startswith("name"):
        found.sort(key=lambda one: (numbers(one["name"]), one["name"]))
        if order.endswith("desc"):
            found.reverse()
    top = call.query.get("$top", "")
    if top.isdigit():
        found = found[: int(top)]
    return Response(200, {"content-type": JSON_TYPE}, pretty(found))


_ROOT = "subscriptions/{}/providers/Microsoft.Compute/locations/{}/publishers"


def _missing(what: str, name: str) -> ArmError:
    return ArmError(404, "NotFound", f"{what}: {name} was not found.")


@route("GET", _ROOT)
def list_publishers(arm: Sandbox, call: Call, subscription: str, location: str) -> Response:
    return _list(call, [_entry(call, subscription, location, name) for name in sorted({key[0] for key in catalogue(arm)})])


@route("GET", _ROOT + "/{}/artifacttypes/vmimage/offers")
def list_offers(arm: Sandbox, call: Call, subscription: str, location: str, publisher: str) -> Response:
    found = sorted({key[:2] for key in catalogue(arm) if key[0].lower() == publisher.lower()})
    if not found:
        raise _missing("Publisher", publisher)
    return _list(call, [_entry(call, subscription, location, f"{one}/ArtifactTypes/VMImage/Offers/{offer}") for one, offer in found])


@route("GET", _ROOT + "/{}/artifacttypes/vmimage/offers/{}/skus")
def list_skus(arm: Sandbox, call: Call, subscription: str, location: str, publisher: str, offer: str) -> Response:
    found = [key for key in catalogue(arm) if (key[0].lower(), key[1].lower()) == (publisher.lower(), offer.lower())]
    if not found:
        raise _missing("Offer", offer)
    properties = {"automaticOSUpgradeProperties": {"automaticOSUpgradeSupported": False}}
    return _list(
        call,
        [
            _entry(call, subscription, location, f"{one}/ArtifactTypes/VMImage/Offers/{two}/Skus/{three}", properties)
            for one, two, three in found
        ],
    )


def _key(arm: Sandbox, publisher: str, offer: str, sku: str) -> Key:
    key = find(arm, publisher, offer, sku)
    if key is None:
        raise ArmError(404, "NotFound", "Artifact: VMImage was not found.")
    return key


def image(arm: Sandbox, subscription: str, location: str, key: tuple[str, str, str], version: str) -> Json:
    """One platform image as GET shows it."""
    sku = catalogue(arm)[key]
    told = sku.features
    if told is None:
        told = (
            ("IsAcceleratedNetworkSupported", "True"),
            ("DiskControllerTypes", "SCSI, NVMe" if sku.generation == "V2" else "SCSI"),
            ("IsHibernateSupported", "True"),
        )
    features = [{"name": name, "value": value} for name, value in ((("SecurityType", sku.security),) if sku.security else ()) + told]
    # Recorded: every first-generation image is unmanaged and tells its size in bytes, every other is managed and tells gigabytes.
    managed = sku.generation == "V2"
    properties: Json = {
        "hyperVGeneration": sku.generation,
        "architecture": sku.architecture,
        "replicaType": "Managed" if managed else "Unmanaged",
        **({"replicaCount": 10} if managed else {}),
        "disallowed": {"vmDiskType": "Unmanaged" if managed else "None"},
        "automaticOSUpgradeProperties": {"automaticOSUpgradeSupported": sku.upgrades},
        "imageDeprecationStatus": {"imageState": "Active"},
        **({"features": features} if features else {}),
        "osDiskImage": {"operatingSystem": sku.os_type, **({"sizeInGb": sku.size_gb} if managed else {"sizeInBytes": sku.size_gb << 30})},
        "dataDiskImages": [],
    }
    path = f"{key[0]}/ArtifactTypes/VMImage/Offers/{key[1]}/Skus/{key[2]}/Versions/{version}"
    return {
        "properties": properties,
        "location": location,
        "name": version,
        "id": f"/Subscriptions/{subscription}/Providers/Microsoft.Compute/Locations/{location}/Publishers/{path}",
    }


@route("GET", _ROOT + "/{}/artifacttypes/vmimage/offers/{}/skus/{}/versions")
def list_versions(arm: Sandbox, call: Call, subscription: str, location: str, publisher: str, offer: str, sku: str) -> Response:
    key = _key(arm, publisher, offer, sku)
    found = [image(arm, subscription, location, key, version) for version in versions(arm, key)]
    if not call.expands("properties"):
        for one in found:
            del one["properties"]
    return _list(call, found)


@route("GET", _ROOT + "/{}/artifacttypes/vmimage/offers/{}/skus/{}/versions/{}")
def show_version(arm: Sandbox, call: Call, *values: Any) -> Response:
    subscription, location, publisher, offer, sku, version = values
    key = _key(arm, publisher, offer, sku)
    known = versions(arm, key)
    if version.lower() == "latest":
        version = known[-1]
    if version not in known:
        raise ArmError(404, "NotFound", "Artifact: VMImage was not found.")
    return Response(200, {"content-type": JSON_TYPE}, pretty(image(arm, subscription, location, key, version)))
