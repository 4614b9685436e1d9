"""Image definitions: what the versions below them have in common."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from ..content import DEFINITION
from ..registry import field, register, required
from ..store import Resource
from ..wire import ArmError, Json, Response
from . import sharing
from .changes import changed
from .galleries import GalleryType, check_limit, invalid
from .groups import location_of

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

_NAME = re.compile(r"^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,78}[A-Za-z0-9])?$")
SECURITY_TYPES = (
    "None",
    "Standard",
    "TrustedLaunch",
    "TrustedLaunchSupported",
    "ConfidentialVM",
    "ConfidentialVMSupported",
    "TrustedLaunchAndConfidentialVmSupported",
)
FEATURES = ("SecurityType", "IsAcceleratedNetworkSupported", "IsHibernateSupported", "DiskControllerType", "DiskControllerTypes")


def security_type(properties: Json, version: str = "") -> str:
    """A definition's SecurityType feature, lower case; `standard` where it has none, or has it only for later versions than this one."""
    for feature in properties.get("features", []):
        if feature["name"] == "SecurityType" and not _earlier(version, feature.get("startsAtVersion", "")):
            value = str(feature["value"]).lower()
            return "standard" if value == "none" else value
    return "standard"


def _earlier(version: str, start: str) -> bool:
    return bool(version and start) and [int(part) for part in version.split(".")] < [int(part) for part in start.split(".")]


class Definitions(GalleryType):
    name = DEFINITION
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.GalleryImage", "PATCH": "compute.GalleryImageUpdate"}
    parameter = "galleryImage"
    children = ("versions",)
    title = "Gallery Image"

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        location = location_of(call, body, resource)
        if not _NAME.match(call.name):
            raise invalid(
                f"The gallery image name '{call.name}' is invalid. Allowed characters are English alphanumeric characters, with "
                f"underscores, hyphens and periods "
                "allowed in the middle, up to 80 characters total.",
                "galleryImageName",
            )
        if resource is not None:
            self.check_idle(arm, resource)
        else:
            check_limit(arm, call, self.name, location, 1_000)
        properties = self.properties(arm, call, body)
        assert call.parent is not None
        sharing.check_definition(call.parent, location, security_type(properties))
        if resource is not None:
            old = resource.properties
            for name in ("osType", "osState", "hyperVGeneration", "architecture"):
                if properties.get(name) != old.get(name):
                    raise changed("galleryImage", name)
            for name in ("publisher", "offer", "sku"):
                if properties["identifier"][name] != old["identifier"][name]:
                    raise changed("galleryImage", f"identifier.{name}")
            self.change_features(body, old, properties)
        return self.write(arm, call, resource, body, location, properties)

    def properties(self, arm: Sandbox, call: Call, body: Json) -> Json:
        given = body["properties"]
        os_type, os_state = given["osType"], given["osState"]
        identifier = {}
        for name, most in (("publisher", 128), ("offer", 64), ("sku", 64)):
            value = required(body, f"properties.identifier.{name}", target=f"galleryImage.properties.identifier.{name}")
            if not value or len(value) > most:
                raise invalid(
                    f"The value of galleryImage.properties.identifier.{name} must have 1 to {most} characters.",
                    f"galleryImage.properties.identifier.{name}",
                )
            identifier[name] = value
        gallery = call.id.rsplit("/", 2)[0].lower()
        for other in arm.store.collection(f"{gallery}/images").values():
            if other.key != call.id.lower() and {key: value.lower() for key, value in other.properties["identifier"].items()} == {
                key: value.lower() for key, value in identifier.items()
            }:
                raise ArmError(
                    409,
                    "Conflict",
                    f"Gallery image: '{other.name}' identified by (publisher:{identifier['publisher']}, offer:{identifier['offer']}, "
                    f"sku:{identifier['sku']}) already "
                    "exists. Choose a different publisher, offer, sku combination.",
                )
        generation = field(body, "properties.hyperVGeneration") or "V1"
        architecture = field(body, "properties.architecture") or "x64"
        if architecture == "Arm64" and generation == "V1":
            raise invalid(
                "The architecture 'Arm64' is supported by hypervisor generation 'V2' only.", "galleryImage.properties.architecture"
            )
        properties: Json = {}
        for name in ("description", "eula", "privacyStatementUri", "releaseNoteUri", "endOfLifeDate", "allowUpdateImage"):
            if given.get(name) is not None:
                properties[name] = given[name]
        properties["hyperVGeneration"] = generation
        properties["architecture"] = architecture
        features = self.features(call, body, generation, architecture)
        if features:
            properties["features"] = features
        properties["osType"] = os_type
        properties["osState"] = os_state
        properties["identifier"] = identifier
        for name in ("recommended", "disallowed", "purchasePlan"):
            if given.get(name):
                properties[name] = given[name]
        return properties

    def change_features(self, body: Json, old: Json, new: Json) -> None:
        """An update without features keeps them; other features need `allowUpdateImage`."""
        if field(body, "properties.features", list) is None:
            new.pop("features", None)
            if "features" in old:
                new["features"] = old["features"]
        elif new.get("features", []) != old.get("features", []) and not field(body, "properties.allowUpdateImage", bool, False):
            raise changed("galleryImage", "features")

    def features(self, call: Call, body: Json, generation: str, architecture: str) -> list[Json]:
        """The features to keep. Since api-version 2025-03-03 an x64 V2 definition without SecurityType gets TrustedLaunchSupported
        (compute-gallery-whats-new.md)."""
        found = []
        for feature in field(body, "properties.features", list, []):
            name = required(feature, "name", target="galleryImage.properties.features.name")
            value = required(feature, "value", target="galleryImage.properties.features.value")
            if name not in FEATURES:
                raise invalid(f"The feature '{name}' of the gallery image is not supported.", "galleryImage.properties.features")
            if name == "SecurityType" and value.lower() not in (known.lower() for known in SECURITY_TYPES):
                raise invalid(f"The value '{value}' of the feature 'SecurityType' is not valid.", "galleryImage.properties.features")
            if name == "SecurityType" and value.lower() not in ("none", "standard") and generation == "V1":
                raise invalid(
                    f"The security type '{value}' is supported by hypervisor generation 'V2' only.", "galleryImage.properties.features"
                )
            kept = {"name": name, "value": value.capitalize() if value.lower() in ("true", "false") else value}
            if (start := field(feature, "startsAtVersion")) is not None:
                if not re.fullmatch(r"\d+\.\d+\.\d+", start):
                    raise invalid(f"The version '{start}' from which a feature starts is invalid.", "galleryImage.properties.features")
                kept["startsAtVersion"] = start
            found.append(kept)
        if (
            call.api_version >= "2025-03-03"
            and generation == "V2"
            and architecture == "x64"
            and not any(one["name"] == "SecurityType" for one in found)
        ):
            found.append({"name": "SecurityType", "value": "TrustedLaunchSupported"})
        return found

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        self.check_idle(arm, resource)
        body = call.json()
        old = resource.properties
        for name in ("osType", "osState", "hyperVGeneration", "architecture"):
            if field(body, f"properties.{name}") not in (None, old[name]):
                raise changed("galleryImage", name)
        for name in ("publisher", "offer", "sku"):
            if field(body, f"properties.identifier.{name}") not in (None, old["identifier"][name]):
                raise changed("galleryImage", f"identifier.{name}")
        new: Json = {}
        if found := self.features(call, body, old["hyperVGeneration"], old["architecture"]):
            new["features"] = found
        self.change_features(body, old, new)
        assert call.parent is not None
        sharing.check_definition(call.parent, resource.location, security_type(new))
        for name in ("description", "endOfLifeDate", "recommended", "disallowed", "eula", "releaseNoteUri", "privacyStatementUri"):
            if (value := field(body, "properties", dict, {}).get(name)) is not None:
                new[name] = value
        old |= new
        self.retag(resource, body)
        old["provisioningState"] = "Updating"
        return self.begin(arm, call, resource, "update")


register(Definitions())
