"""VM Applications' definitions in galleries. Their versions, which Azure makes from blobs, are refused as a type that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..content import APPLICATION
from ..registry import field, one_of, register, required
from ..store import Resource
from ..wire import Json, Response
from .changes import changed
from .galleries import GalleryType
from .groups import location_of

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

_DESCRIBING = ("description", "eula", "privacyStatementUri", "releaseNoteUri", "endOfLifeDate", "customActions")


class Applications(GalleryType):
    name = APPLICATION
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.GalleryApplication", "PATCH": "compute.GalleryApplicationUpdate"}
    parameter = "galleryApplication"
    title = "Gallery Application"

    def put(self, arm: Sandbox, call: Call, resource: Resource | None) -> Response:
        body = call.json()
        location = location_of(call, body, resource)
        system = one_of(body, "properties.supportedOSType", ("Windows", "Linux"))
        if system is None:
            required(body, "properties.supportedOSType", target="galleryApplication.properties.supportedOSType")
        if resource is not None:
            self.check_idle(arm, resource)
            if system != resource.properties["supportedOSType"]:
                raise changed("galleryApplication", "supportedOSType")
        return self.write(arm, call, resource, body, location, {**self.described(body), "supportedOSType": system})

    def described(self, body: Json) -> Json:
        given = field(body, "properties", dict, {})
        return {name: given[name] for name in _DESCRIBING if given.get(name) is not None}

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        self.check_idle(arm, resource)
        body = call.json()
        system = one_of(body, "properties.supportedOSType", ("Windows", "Linux"))
        if system not in (None, resource.properties["supportedOSType"]):
            raise changed("galleryApplication", "supportedOSType")
        self.retag(resource, body)
        resource.properties.update(self.described(body), provisioningState="Updating")
        return self.begin(arm, call, resource, "update")


register(Applications())
