"""Gallery image versions: a source, replicated to target regions over time. The regions' own state is in replication.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .. import operations
from ..content import VERSION, keep
from ..registry import field, register
from ..store import Resource
from ..wire import ArmError, Json, Response, moment
from . import replication, sharing, soft_delete, sources, target_regions, validations, version_layouts
from .artifact_versions import ArtifactVersions
from .changes import changed
from .definitions import security_type
from .galleries import check_limit
from .groups import location_of

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

LARGE = 127  # GB from which on a home copy takes as long as recorded for large sources


class Versions(ArtifactVersions):
    name = VERSION
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.GalleryImageVersion", "PATCH": "compute.GalleryImageVersionUpdate"}
    parameter = "galleryImageVersion"
    optional = frozenset({"properties.storageProfile"})  # a PUT without one brings a deleted version back
    title = "Gallery Image Version"
    safety = ("allowDeletionOfReplicatedLocations", "blockDeletionBeforeEndOfLife")
    malformed = (
        "The image version name is invalid. The image version name should follow Major(int).Minor(int).Patch(int) format, for e.g: "
        "1.0.0, 2018.12.1 etc."
    )

    def dynamic(self, call: Call) -> bool:
        return super().dynamic(call) or version_layouts.is_old(call.api_version)

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
        self.check_name(call)
        if resource is not None:
            return self.update(arm, call, resource, body, whole=True)
        kept = soft_delete.find(arm, call.id)
        if field(body, "properties.restore", bool) or (kept is not None and not sources.named(body)):
            return self.restore(arm, call, kept, body, location, whole=True)
        if kept is not None:
            raise soft_delete.taken(kept)
        check_limit(arm, call, self.name, location, 10_000)
        definition = self.check_parent(call)
        regions = self.regions(call, body, location)
        gallery = arm.store.resources[definition.key.rsplit("/", 2)[0]]
        sharing.check_version(gallery, location, regions)
        origin = sources.find(arm, call, body, location, definition)
        sources.check_fit(origin, definition, call.name)
        # Which machines a version makes is what its definition says, whatever its source said of itself.
        origin.supports_trusted_launch = "trustedlaunch" in security_type(definition.properties, call.name)
        shallow = field(body, "properties.publishingProfile.replicationMode") == "Shallow"
        if origin.content["size_gb"] > (32_768 if shallow else 2_048):
            raise self.invalid(
                f"The GalleryImageVersion source resource size {origin.content['size_gb']} exceeds the max size 2048 supported.",
                "storageProfile.source",
            )
        properties: Json = {
            "publishingProfile": self.publishing_profile(arm, call, body, location, regions),
            "storageProfile": sources.storage_profile(body),
            "safetyProfile": {"reportedForPolicyViolation": False, **self.safety_profile(body, None)},
            "provisioningState": "Creating",
        }
        if (security := field(body, "properties.securityProfile", dict)) is not None:
            properties["securityProfile"] = security
        made = self.body(call, body, location, properties)
        private = {
            "pending": keep(origin, str(definition.properties["osState"])),
            "sources": {path: id.lower() for path, id in sources.named(body).items()},
        }
        return self.publish(arm, call, made, private)

    def check_changes(self, resource: Resource, body: Json) -> None:
        for path, id in sources.named(body).items():
            if resource.private["sources"].get(path, "") != id.lower():
                raise changed(self.parameter, path)
        super().check_changes(resource, body)
        sources.check_luns(body, resource)

    def check_encryption(self, call: Call, regions: list[Json]) -> None:
        target_regions.check_encryption(self, call, regions)

    def pace(self, version: Resource) -> str:
        if version.properties["publishingProfile"].get("replicationMode") == "Shallow":
            return "shallow"
        origin = version.private.get("origin") or version.private["pending"]
        return "home.large" if origin["content"]["size_gb"] >= LARGE else "home"

    def arrived(self, version: Resource) -> None:
        if "origin" not in version.private:
            version.private["origin"] = version.private.pop("pending")
            _fill(version)

    def restore(self, arm: Sandbox, call: Call, kept: Resource | None, body: Json, location: str, *, whole: bool) -> Response:
        """Take a soft-deleted version out of the bin: a PUT with its home region, `restore` true or no source (recorded); or a PATCH with
        `restore` (official example)."""
        if kept is None:
            raise ArmError(404, "NotFound", f"The gallery image version '{call.name}' is not soft-deleted and cannot be restored.")
        if location != kept.location:
            raise self.invalid(
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
        return super().patch(arm, call, resource)

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


def _fill(version: Resource) -> None:
    """What GET shows once the home region has the image: the disks' sizes."""
    origin = version.private["origin"]
    storage = version.properties["storageProfile"]
    os_disk = dict(storage.get("osDiskImage") or {})
    storage["osDiskImage"] = {
        "sizeInGB": origin["content"]["size_gb"],
        "hostCaching": origin["caching"],
        "source": os_disk.get("source", {}),
    }
    given = {one.get("lun"): {"source": one["source"]} for one in storage.get("dataDiskImages", []) if one.get("source")}
    if origin["data"]:
        storage["dataDiskImages"] = [
            {"lun": one["lun"], "sizeInGB": one["size_gb"], "hostCaching": one["caching"], **given.get(one["lun"], {})}
            for one in origin["data"]
        ]


register(Versions())
