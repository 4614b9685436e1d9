"""Galleries as those see them with whom they are shared: the read APIs below `locations/`.

Shapes: the official
examples of the gallery OpenAPI document 2024-03-03; `imageState` and `consumptionEndTime` came with 2026-03-03.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..pages import page_of
from ..regions import is_known, short
from ..registry import route
from ..store import Resource
from ..wire import JSON_TYPE, ArmError, Json, Response, pretty
from . import references, sharing, soft_delete

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

_DISCLAIMER = "https://aka.ms/communitygallerydisclaimer"
_SHOWN = (
    "osType",
    "osState",
    "hyperVGeneration",
    "architecture",
    "identifier",
    "recommended",
    "disallowed",
    "features",
    "purchasePlan",
    "privacyStatementUri",
    "eula",
    "endOfLifeDate",
)


class Shelf:
    """What one of the two APIs shows, at one location."""

    def __init__(self, arm: Sandbox, call: Call, location: str, *, community: bool) -> None:
        if not is_known(location, arm.cloud.name):
            raise ArmError(
                400, "NoRegisteredProviderFound", f"No registered resource provider found for location '{location}'.", gateway=True
            )
        self.arm, self.call, self.location, self.community = arm, call, short(location), community
        self.title = "community" if community else "shared"

    def gallery(self, name: str) -> Resource:
        found = sharing.find(self.arm, self.call, name, community=self.community)
        if found is None or self.location not in sharing.regions(self.arm, found):
            raise self._missing(f"{self.title.capitalize()} gallery '{name}'")
        return found

    def definition(self, gallery: Resource, name: str) -> Resource:
        found = self.arm.store.get(f"{gallery.id}/images/{name}")
        if found is None:
            raise self._missing(f"Gallery image '{name}' of the {self.title} gallery")
        return found

    def versions(self, definition: Resource) -> list[Resource]:
        """Those that are in the region, oldest first; soft-deleted ones too, while machines can be made from them."""
        arm = self.arm
        found = list(arm.store.collection(f"{definition.key}/versions").values())
        found += [soft_delete.revive(kept) for kept in soft_delete.kept_in(arm, definition) if arm.now < kept.private["consumable"]]
        usable = [one for one in found if references.usable(arm, one, self.location)]
        return sorted(usable, key=lambda one: [int(part) for part in one.name.split(".")])

    def version(self, definition: Resource, name: str) -> Resource:
        for one in self.versions(definition):
            if one.name == name:
                return one
        raise self._missing(f"Gallery image version '{name}' of the {self.title} gallery")

    def _missing(self, what: str) -> ArmError:
        return ArmError(404, "NotFound", f"{what} was not found in the location '{self.location}'.")

    def _entry(self, name: str, type: str, id: str, properties: Json) -> Json:
        made: Json = {"properties": properties} if properties else {}
        made |= {"location": self.location, "name": name, "identifier": {"uniqueId": id}}
        if self.community:
            made["type"] = f"Microsoft.Compute/locations/{type}"
        return made

    def _tagged(self, properties: Json) -> Json:
        return {**properties, "disclaimer": _DISCLAIMER} if self.community else properties

    def _id(self, gallery: Resource, *rest: str) -> str:
        unique = sharing.public_name(gallery) if self.community else gallery.properties["identifier"]["uniqueName"]
        return "/".join(["/CommunityGalleries" if self.community else "/SharedGalleries", unique, *rest])

    def show_gallery(self, gallery: Resource) -> Json:
        id = self._id(gallery)
        properties: Json = {}
        if self.community:
            info = gallery.properties["sharingProfile"]["communityGalleryInfo"]
            properties["communityMetadata"] = {name: info[name] for name in ("publisherUri", "publisherContact", "eula", "publicNames")}
        return self._entry(id.rsplit("/", 1)[1], "communityGallery", id, self._tagged(properties))

    def show_definition(self, gallery: Resource, definition: Resource) -> Json:
        properties = {name: definition.properties[name] for name in _SHOWN if name in definition.properties}
        id = self._id(gallery, "Images", definition.name)
        return self._entry(definition.name, "communityGalleryImage", id, self._tagged(properties))

    def show_version(self, gallery: Resource, definition: Resource, version: Resource) -> Json:
        profile, storage = version.properties["publishingProfile"], version.properties["storageProfile"]
        shown: Json = {
            "osDiskImage": {"diskSizeGB": storage["osDiskImage"]["sizeInGB"], "hostCaching": storage["osDiskImage"]["hostCaching"]}
        }
        if data := storage.get("dataDiskImages"):
            shown["dataDiskImages"] = [
                {"lun": one["lun"], "diskSizeGB": one["sizeInGB"], "hostCaching": one["hostCaching"]} for one in data
            ]
        properties: Json = {name: profile[name] for name in ("publishedDate", "endOfLifeDate", "excludeFromLatest") if name in profile}
        properties["storageProfile"] = shown
        if self.call.api_version >= "2026-03-03":
            kept = soft_delete.find(self.arm, version.id)
            properties["imageState"] = "Active" if kept is None else "SoftDeleted"
            if kept is not None:
                properties["consumptionEndTime"] = kept.properties["consumptionEndTime"]
        id = self._id(gallery, "Images", definition.name, "Versions", version.name)
        return self._entry(version.name, "communityGalleryImageVersion", id, self._tagged(properties))


def _show(value: Json) -> Response:
    return Response(200, {"content-type": JSON_TYPE}, pretty(value))


@route("GET", "subscriptions/{}/providers/Microsoft.Compute/locations/{}/sharedGalleries")
def shared_galleries(arm: Sandbox, call: Call, subscription: str, location: str) -> Response:
    """Galleries that are shared with this subscription, or with its tenant too (`sharedTo=tenant`)."""
    shelf = Shelf(arm, call, location, community=False)
    tenants = call.query.get("sharedto", "").lower() == "tenant"
    found = [
        one
        for one in sharing.galleries(arm)
        if sharing.shared_with(arm, one, subscription, tenants=tenants) and shelf.location in sharing.regions(arm, one)
    ]
    return page_of(arm, call, found, shelf.show_gallery)


def _serve(root: str, *, community: bool) -> None:
    """Register the reads of a gallery, its images and their versions below `root`."""
    path = f"subscriptions/{{}}/providers/Microsoft.Compute/locations/{{}}/{root}/{{}}"

    def below(pattern: str, answer: Callable[[Shelf, Resource, list[str]], Response]) -> None:
        def handler(arm: Sandbox, call: Call, subscription: str, location: str, name: str, *rest: str) -> Response:
            shelf = Shelf(arm, call, location, community=community)
            return answer(shelf, shelf.gallery(name), list(rest))

        route("GET", f"{path}{pattern}")(handler)

    def definitions(shelf: Shelf, gallery: Resource, rest: list[str]) -> Response:
        found = list(shelf.arm.store.collection(f"{gallery.key}/images").values())
        return page_of(shelf.arm, shelf.call, found, lambda one: shelf.show_definition(gallery, one))

    def versions(shelf: Shelf, gallery: Resource, rest: list[str]) -> Response:
        definition = shelf.definition(gallery, rest[0])
        return page_of(shelf.arm, shelf.call, shelf.versions(definition), lambda one: shelf.show_version(gallery, definition, one))

    def version(shelf: Shelf, gallery: Resource, rest: list[str]) -> Response:
        definition = shelf.definition(gallery, rest[0])
        return _show(shelf.show_version(gallery, definition, shelf.version(definition, rest[1])))

    below("", lambda shelf, gallery, rest: _show(shelf.show_gallery(gallery)))
    below("/images", definitions)
    below("/images/{}", lambda shelf, gallery, rest: _show(shelf.show_definition(gallery, shelf.definition(gallery, rest[0]))))
    below("/images/{}/versions", versions)
    below("/images/{}/versions/{}", version)


_serve("sharedGalleries", community=False)
_serve("communityGalleries", community=True)
