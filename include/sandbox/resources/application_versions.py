"""Versions of VM Applications: a package in a blob, replicated to target regions as versions of images are (artifact_versions.py).

Texts: learn.microsoft.com, VM Applications, "Error messages". Its codes are not told there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from .. import blobs
from ..content import APPLICATION_VERSION
from ..kept import keep
from ..registry import field, register
from ..store import Resource
from ..wire import Json, Response
from . import replication
from .artifact_versions import ArtifactVersions
from .changes import changed
from .groups import location_of

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

LARGEST = 2**30  # bytes of a package or a configuration
_FIXED = (
    "manageActions.install",
    "manageActions.remove",
    "manageActions.update",
    "settings.packageFileName",
    "settings.configFileName",
    "settings.scriptBehaviorAfterReboot",
)
_LINKS = ("mediaLink", "defaultConfigurationLink")


class ApplicationVersions(ArtifactVersions):
    name = APPLICATION_VERSION
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.GalleryApplicationVersion", "PATCH": "compute.GalleryApplicationVersionUpdate"}
    parameter = "galleryApplicationVersion"
    title = "Gallery Application Version"
    most_replicas = 3
    malformed = (
        "The gallery application version name is invalid. The application version name "
        "should follow Major(int32).Minor(int32).Patch(int32) format, "
        "where int is between 0 and 2,147,483,647 (inclusive). for e.g. 1.0.0, 2018.12.1 etc."
    )

    def view(self, arm: Sandbox, call: Call, resource: Resource) -> Json:
        """With what `$expand` names: ReplicationStatus."""
        if not call.expands("ReplicationStatus"):
            return resource.body
        return {**resource.body, "properties": {**resource.properties, "replicationStatus": replication.status(arm, resource)}}

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        location = location_of(call, body, resource)
        self.check_name(call)
        if resource is not None:
            return self.update(arm, call, resource, body, whole=True)
        self.check_parent(call)
        regions = self.regions(call, body, location)
        self.check_links(arm, body)
        profile = self.publishing_profile(arm, call, body, location, regions)
        profile["enableHealthCheck"] = field(body, "properties.publishingProfile.enableHealthCheck", bool, False)
        keep(profile, field(body, "properties.publishingProfile", dict, {}))
        properties: Json = {
            "publishingProfile": profile,
            "safetyProfile": self.safety_profile(body, None),
            "provisioningState": "Creating",
        }
        return self.publish(arm, call, self.body(call, body, location, properties), {})

    def check_links(self, arm: Sandbox, body: Json) -> None:
        """Raises ArmError 400 where a link leads to no package: the sandbox knows the blobs of its own account."""
        for name in _LINKS:
            path = f"publishingProfile.source.{name}"
            url = field(body, f"properties.{path}")
            if url is None:
                continue
            content = blobs.content_at(arm, url)
            if content is None:
                raise self.invalid(f"The blob referenced by source uri {url} does not exist.", path)
            if not content:
                raise self.invalid(f"The blob referenced by source uri {url} is empty.", path)
            if len(content) > LARGEST:
                raise self.invalid(
                    f"The blob referenced by source uri {url} is too large: size = {len(content)}. The maximum blob size allowed is "
                    "'1 GB'.",
                    path,
                )

    def check_changes(self, resource: Resource, body: Json) -> None:
        super().check_changes(resource, body)
        own = resource.properties["publishingProfile"]
        for path in _FIXED:
            if field(body, f"properties.publishingProfile.{path}") not in (None, field(own, path)):
                raise changed(self.parameter, f"publishingProfile.{path}")
        for name in _LINKS:  # another SAS leads to the same blob
            given = field(body, f"properties.publishingProfile.source.{name}")
            if given is not None and given.split("?")[0] != str(field(own, f"source.{name}")).split("?")[0]:
                raise changed(self.parameter, f"publishingProfile.source.{name}")

    def update(self, arm: Sandbox, call: Call, resource: Resource, body: Json, *, whole: bool) -> Response:
        response = super().update(arm, call, resource, body, whole=whole)
        given = field(body, "properties.publishingProfile", dict, {})
        changes = {
            name: given[name]
            for name in ("source", "advancedSettings", "enableHealthCheck", "customActions")
            if given.get(name) is not None
        }
        resource.properties["publishingProfile"].update(changes)
        return response

    def check_encryption(self, call: Call, regions: list[Json]) -> None:
        if any("encryption" in region for region in regions):
            raise self.invalid(
                "Gallery application version resources currently do not support encryption.", "publishingProfile.targetRegions.encryption"
            )


register(ApplicationVersions())
