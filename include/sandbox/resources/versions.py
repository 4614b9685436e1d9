"""Gallery image versions: a source, replicated to target regions over time. The regions' own state is in replication.py."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from .. import operations
from ..content import VERSION, keep
from ..registry import field, register
from ..store import Resource
from ..wire import ArmError, Json, Response, moment, stamp
from . import replication, sharing, soft_delete, sources, target_regions, validations, version_layouts
from .changes import changed
from .definitions import security_type
from .galleries import GalleryType, check_limit
from .groups import location_of

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

INT32 = 2**31 - 1
_PREFIX = "galleryImageVersion.properties."


def invalid(message: str, target: str | None = None) -> ArmError:
    return ArmError(400, "InvalidParameter", message, target=f"{_PREFIX}{target}" if target else None)


SAFE_SINCE = "2022-03-03"  # the first api-version with safety profiles: before it any region may go (recorded)


class Versions(GalleryType):
    name = VERSION
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.GalleryImageVersion", "PATCH": "compute.GalleryImageVersionUpdate"}
    parameter = "galleryImageVersion"
    optional = frozenset({"properties.storageProfile"})  # a PUT without one brings a deleted version back
    nests = False
    title = "Gallery Image Version"
    retry_after = 60

    def dynamic(self, call: Call) -> bool:
        return "$expand" in call.query or version_layouts.is_old(call.api_version)

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        """With what `$expand` names: ReplicationStatus, UefiSettings, ValidationProfile."""
        properties = dict(resource.properties)
        if "securityProfile" in properties and not call.expands("UefiSettings"):
            rest = {name: value for name, value in properties.pop("securityProfile").items() if name != "uefiSettings"}
            if rest:
                properties["securityProfile"] = rest
        if call.expands("ReplicationStatus"):
            properties["replicationStatus"] = replication.status(arm, resource)
        if call.expands("ValidationProfile"):
            properties["validationsProfile"] = validations.profile(arm, resource)
        return version_layouts.shown({**resource.body, "properties": properties}, call.api_version)

    def written(self, arm: Sandbox, call: Call, operation: Json, resource: Resource, *, created: bool) -> Response:
        """The answer to a write; an update in the oldest api-version is accepted, not done (recorded)."""
        shown = version_layouts.shown(resource.body, call.api_version)
        if not created and call.api_version < "2019-03-01":
            return operations.accepted(arm, call, operation, retry_after=self.retry_after, body=shown)
        return operations.written(arm, call, operation, shown, created=created, retry_after=self.retry_after)

    # create and update

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        location = location_of(call, body, resource)
        check_name(call.name)
        if resource is not None:
            return self.update(arm, call, resource, body, whole=True)
        kept = soft_delete.find(arm, call.id)
        if field(body, "properties.restore", bool) or (kept is not None and not sources.named(body)):
            return self.restore(arm, call, kept, body, location, whole=True)
        if kept is not None:
            raise soft_delete.taken(kept)
        check_limit(arm, call, self.name, location, 10_000)
        definition = call.parent
        assert definition is not None
        if definition.state == "Deleting":
            raise ArmError(
                404,
                "ParentResourceNotFound",
                f"Can not perform requested operation on nested resource. Parent resource '{definition.name}' not found.",
                gateway=True,
            )
        mode = field(body, "properties.publishingProfile.replicationMode")
        regions = target_regions.read(call, body, location, None)
        if mode == "Shallow":
            target_regions.check_shallow(regions)
        gallery = arm.store.resources[definition.key.rsplit("/", 2)[0]]
        sharing.check_version(gallery, location, regions)
        origin = sources.find(arm, call, body, location, definition)
        sources.check_fit(origin, definition, call.name)
        # Which machines a version makes is what its definition says, whatever its source said of itself.
        origin.supports_trusted_launch = "trustedlaunch" in security_type(definition.properties, call.name)
        if origin.content["size_gb"] > (32_768 if mode == "Shallow" else 2_048):
            raise invalid(
                f"The GalleryImageVersion source resource size {origin.content['size_gb']} exceeds the max size 2048 supported.",
                "storageProfile.source",
            )
        profile: Json = {
            "targetRegions": regions,
            "replicaCount": field(body, "properties.publishingProfile.replicaCount", int, 1),
            "excludeFromLatest": field(body, "properties.publishingProfile.excludeFromLatest", bool, False),
            "publishedDate": stamp(arm.now),
            "storageAccountType": target_regions.storage_type(call, body, location, None),
        }
        if (strategy := field(body, "properties.publishingProfile.storageAccountStrategy")) is not None:
            profile["storageAccountStrategy"] = strategy
        if mode is not None:
            profile["replicationMode"] = mode
        if (end := end_of_life(arm, body)) is not None:
            profile["endOfLifeDate"] = end
        properties: Json = {
            "publishingProfile": profile,
            "storageProfile": sources.storage_profile(body),
            "safetyProfile": safety(body, None),
            "provisioningState": "Creating",
        }
        if (security := field(body, "properties.securityProfile", dict)) is not None:
            properties["securityProfile"] = security
        made = self.body(call, body, location, properties)
        private = {
            "pending": keep(origin, str(definition.properties["osState"])),
            "sources": {path: id.lower() for path, id in sources.named(body).items()},
            "replicas": {},
        }
        resource = arm.store.add(Resource(call.id, self.name, made, private))
        operation = operations.start(
            arm, call, resource, "galleries/images/versions.update", then="versions.written", family=self.family, open_ended=True
        )
        replication.begin(arm, call, resource, operation)
        return self.written(arm, call, operation, resource, created=True)

    def update(self, arm: Sandbox, call: Call, resource: Resource, body: Json, *, whole: bool) -> Response:
        self.check_idle(arm, resource)
        for path, id in sources.named(body).items():
            if resource.private["sources"].get(path, "") != id.lower():
                raise changed("galleryImageVersion", path)
        profile = resource.properties["publishingProfile"]
        mode = field(body, "properties.publishingProfile.replicationMode")
        if mode is not None and mode != profile.get("replicationMode", "Full"):
            raise changed("galleryImageVersion", "publishingProfile.replicationMode")
        for name in ("storageAccountType", "storageAccountStrategy"):
            if field(body, f"properties.publishingProfile.{name}") not in (None, profile.get(name)):
                raise changed("galleryImageVersion", f"publishingProfile.{name}")
        sources.check_luns(body, resource)
        safe = safety(body, resource.properties["safetyProfile"])
        regions = profile["targetRegions"]
        if any(field(body, f"properties.publishingProfile.{name}", list) is not None for name in ("targetRegions", "regions")):
            regions = target_regions.read(call, body, resource.location, profile)
            if profile.get("replicationMode") == "Shallow":
                target_regions.check_shallow(regions)
            failed = {name for name, replica in resource.private["replicas"].items() if replica["state"] == "Failed"}
            deletion = safe["allowDeletionOfReplicatedLocations"] or call.api_version < SAFE_SINCE
            target_regions.check_change(profile["targetRegions"], regions, failed, deletion=deletion)
        end = end_of_life(arm, body)
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
        operation = operations.start(
            arm, call, resource, "galleries/images/versions.update", then="versions.written", family=self.family, open_ended=True
        )
        replication.begin(arm, call, resource, operation)
        return self.written(arm, call, operation, resource, created=False)

    def restore(self, arm: Sandbox, call: Call, kept: Resource | None, body: Json, location: str, *, whole: bool) -> Response:
        """Take a soft-deleted version out of the bin: a PUT with its home region, `restore` true or no source (recorded); or a PATCH with
        `restore` (official example)."""
        if kept is None:
            raise ArmError(404, "NotFound", f"The gallery image version '{call.name}' is not soft-deleted and cannot be restored.")
        if location != kept.location:
            raise invalid(
                f"The location '{location}' of the request is not the location '{kept.location}' of the soft-deleted gallery image "
                f"version '{call.name}'."
            )
        response = self.update(arm, call, arm.store.add(soft_delete.revive(kept)), body, whole=whole)
        arm.store.drop(kept)
        return response

    def ending(self, arm: Sandbox, call: Call, resource: Resource) -> str:
        return "versions.softDeleted" if soft_delete.applies(arm, call, resource) else super().ending(arm, call, resource)

    def hidden(self, arm: Sandbox, call: Call) -> Resource | None:
        """A soft-deleted version, for a PATCH that restores it."""
        return soft_delete.find(arm, call.id) if field(call.json(), "properties.restore", bool) else None

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        if resource.type == soft_delete.TYPE:
            return self.restore(arm, call, resource, call.json(), resource.location, whole=False)
        return self.update(arm, call, resource, call.json(), whole=False)

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        if resource.properties["safetyProfile"].get("blockDeletionBeforeEndOfLife"):
            end = resource.properties["publishingProfile"].get("endOfLifeDate")
            if end is None or moment(end) > arm.now:
                raise ArmError(
                    409,
                    "DeleteGalleryImageVersionBlockedBeforeEndOfLife",
                    f"The gallery image version '{resource.name}' cannot be deleted before its end of life date '{end}', since "
                    "safetyProfile.blockDeletionBeforeEndOfLife is true. Set it to false, or move the end of life date, to delete the "
                    "version.",
                )
        return super().delete(arm, call, resource)


def check_name(name: str) -> None:
    """Major.Minor.Patch, each an int32. Raises ArmError 400 InvalidParameter."""
    parts = name.split(".")
    if len(parts) != 3 or not all(re.fullmatch(r"\d+", part) and int(part) <= INT32 for part in parts):
        raise ArmError(
            400,
            "InvalidParameter",
            "The image version name is invalid. The image version name should follow Major(int).Minor(int).Patch(int) format, for e.g: "
            "1.0.0, 2018.12.1 etc.",
            target="galleryImageVersionName",
        )


def end_of_life(arm: Sandbox, body: Json) -> str | None:
    """publishingProfile.endOfLifeDate. Raises ArmError 400 for one that is no time or has passed."""
    text = field(body, "properties.publishingProfile.endOfLifeDate")
    if text is None:
        return None
    try:
        when = moment(text)
    except ValueError:
        raise invalid(f"The endOfLifeDate '{text}' is not a valid time.", "publishingProfile.endOfLifeDate") from None
    if when <= arm.now:
        raise invalid("EndOfLifeDate must be a future date.", "publishingProfile.endOfLifeDate")
    return stamp(when)


def safety(body: Json, old: Json | None) -> Json:
    made = dict(old or {"reportedForPolicyViolation": False, "allowDeletionOfReplicatedLocations": False})
    for name in ("allowDeletionOfReplicatedLocations", "blockDeletionBeforeEndOfLife"):
        if (value := field(body, f"properties.safetyProfile.{name}", bool)) is not None:
            made[name] = value
    return made


register(Versions())
