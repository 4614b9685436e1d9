"""What the versions in a gallery share, images' and applications' alike: target regions, replicas, flags, and what keeps them.

Azure calls both gallery artifacts (azure-mgmt-compute, GalleryArtifactPublishingProfileBase).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from .. import operations
from ..registry import field
from ..store import Resource
from ..wire import ArmError, Json, Response, moment, stamp
from . import replication, target_regions
from .changes import changed
from .galleries import GalleryType

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

INT32 = 2**31 - 1
SAFE_SINCE = "2022-03-03"  # the first api-version with safety profiles: before it any region may go (recorded)


class ArtifactVersions(GalleryType):
    nests = False
    retry_after = 60
    most_replicas: ClassVar[int] = 100  # of a version in a region
    safety: ClassVar[tuple[str, ...]] = ("allowDeletionOfReplicatedLocations",)  # what a safety profile says
    malformed: ClassVar[str] = ""  # what is said of a name that is no version's

    def invalid(self, message: str, path: str | None = None) -> ArmError:
        return ArmError(400, "InvalidParameter", message, target=f"{self.parameter}.properties.{path}" if path else None)

    def pace(self, version: Resource) -> str:
        """How long its home region takes: the end of the latency's name."""
        return "home"

    def arrived(self, version: Resource) -> None:
        """The home region has it."""

    def check_encryption(self, call: Call, regions: list[Json]) -> None:
        """Raises ArmError where the regions' encryption cannot be."""

    def written(self, arm: Sandbox, call: Call, operation: Json, resource: Resource, *, created: bool) -> Response:
        """The answer to a write."""
        return operations.written(arm, call, operation, resource.body, created=created, retry_after=self.retry_after)

    def dynamic(self, call: Call) -> bool:
        return "$expand" in call.query

    def check_name(self, call: Call) -> None:
        """Major.Minor.Patch, each an int32. Raises ArmError 400 InvalidParameter."""
        parts = call.name.split(".")
        if len(parts) != 3 or not all(re.fullmatch(r"\d+", part) and int(part) <= INT32 for part in parts):
            raise ArmError(400, "InvalidParameter", self.malformed, target=f"{self.parameter}Name")

    def check_parent(self, call: Call) -> Resource:
        """The definition or application. Raises ArmError 404 where it is on its way out."""
        assert call.parent is not None
        if call.parent.state == "Deleting":
            raise ArmError(
                404,
                "ParentResourceNotFound",
                f"Can not perform requested operation on nested resource. Parent resource '{call.parent.name}' not found.",
                gateway=True,
            )
        return call.parent

    def publishing_profile(self, arm: Sandbox, call: Call, body: Json, location: str, regions: list[Json]) -> Json:
        """A new version's profile, as far as all artifacts have it."""
        profile: Json = {
            "targetRegions": regions,
            "replicaCount": field(body, "properties.publishingProfile.replicaCount", int, 1),
            "excludeFromLatest": field(body, "properties.publishingProfile.excludeFromLatest", bool, False),
            "publishedDate": stamp(arm.now),
            "storageAccountType": target_regions.storage_type(self, call, body, location, None),
        }
        for name in ("storageAccountStrategy", "replicationMode"):
            if (value := field(body, f"properties.publishingProfile.{name}")) is not None:
                profile[name] = value
        if (end := self.end_of_life(arm, body)) is not None:
            profile["endOfLifeDate"] = end
        return profile

    def regions(self, call: Call, body: Json, location: str) -> list[Json]:
        """A new version's target regions."""
        found = target_regions.read(self, call, body, location, None)
        if field(body, "properties.publishingProfile.replicationMode") == "Shallow":
            target_regions.check_shallow(self, found)
        return found

    def publish(self, arm: Sandbox, call: Call, made: Json, private: Json) -> Response:
        """Put a new version in place, and begin its replication."""
        resource = arm.store.add(Resource(call.id, self.name, made, {**private, "replicas": {}}))
        return self.replicate(arm, call, resource, created=True)

    def replicate(self, arm: Sandbox, call: Call, resource: Resource, *, created: bool) -> Response:
        operation = operations.start(
            arm, call, resource, f"{self.short}.update", then="versions.written", family=self.family, open_ended=True
        )
        replication.begin(arm, call, resource, operation)
        return self.written(arm, call, operation, resource, created=created)

    def check_changes(self, resource: Resource, body: Json) -> None:
        """Raises ArmError 409 for another value of what stays."""
        profile = resource.properties["publishingProfile"]
        mode = field(body, "properties.publishingProfile.replicationMode")
        if mode is not None and mode != profile.get("replicationMode", "Full"):
            raise changed(self.parameter, "publishingProfile.replicationMode")
        for name in ("storageAccountType", "storageAccountStrategy"):
            if field(body, f"properties.publishingProfile.{name}") not in (None, profile.get(name)):
                raise changed(self.parameter, f"publishingProfile.{name}")

    def update(self, arm: Sandbox, call: Call, resource: Resource, body: Json, *, whole: bool) -> Response:
        self.check_idle(arm, resource)
        self.check_changes(resource, body)
        profile = resource.properties["publishingProfile"]
        safe = self.safety_profile(body, resource.properties["safetyProfile"])
        regions = profile["targetRegions"]
        if any(field(body, f"properties.publishingProfile.{name}", list) for name in ("targetRegions", "regions")):
            regions = target_regions.read(self, call, body, resource.location, profile)
            if profile.get("replicationMode") == "Shallow":
                target_regions.check_shallow(self, regions)
            failed = {name for name, replica in resource.private["replicas"].items() if replica["state"] == "Failed"}
            deletion = safe["allowDeletionOfReplicatedLocations"] or call.api_version < SAFE_SINCE
            target_regions.check_change(self, resource.name, profile["targetRegions"], regions, failed, deletion=deletion)
        end = self.end_of_life(arm, body)
        published = dict(profile)
        published["targetRegions"] = regions
        for name, kind in (("excludeFromLatest", bool), ("replicaCount", int)):
            if (value := field(body, f"properties.publishingProfile.{name}", kind)) is not None:
                published[name] = value
        if end is not None:
            published["endOfLifeDate"] = end
        resource.properties["publishingProfile"] = published
        resource.properties["safetyProfile"] = safe
        self.retag(resource, body, whole=whole)
        resource.properties["provisioningState"] = "Updating"
        return self.replicate(arm, call, resource, created=False)

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        return self.update(arm, call, resource, call.json(), whole=False)

    def end_of_life(self, arm: Sandbox, body: Json) -> str | None:
        """publishingProfile.endOfLifeDate. Raises ArmError 400 for one that is no time or has passed."""
        text = field(body, "properties.publishingProfile.endOfLifeDate")
        if text is None:
            return None
        try:
            when = moment(text)
        except ValueError:
            raise self.invalid(f"The endOfLifeDate '{text}' is not a valid time.", "publishingProfile.endOfLifeDate") from None
        if when <= arm.now:
            raise self.invalid("EndOfLifeDate must be a future date.", "publishingProfile.endOfLifeDate")
        return stamp(when)

    def safety_profile(self, body: Json, old: Json | None) -> Json:
        made: Json = dict(old or {"allowDeletionOfReplicatedLocations": False})
        for name in self.safety:
            if (value := field(body, f"properties.safetyProfile.{name}", bool)) is not None:
                made[name] = value
        return made
