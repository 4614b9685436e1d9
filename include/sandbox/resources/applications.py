"""VM Applications' definitions in galleries. Their versions are in application_versions.py.

Unlike everything else of a gallery they are there, and gone, at once, and show no provisioningState (az's own recorded traffic,
test_gallery_application).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ..content import APPLICATION
from ..registry import field, register
from ..wire import Json, Response
from .changes import changed
from .galleries import nested
from .simple import Simple

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox
    from ..store import Resource

_DESCRIBING = ("description", "eula", "privacyStatementUri", "releaseNoteUri", "endOfLifeDate", "customActions")


class Applications(Simple):
    name = APPLICATION
    bodies: ClassVar[dict[str, str]] = {"PUT": "compute.GalleryApplication", "PATCH": "compute.GalleryApplicationUpdate"}
    parameter = "galleryApplication"

    def properties(self, arm: Sandbox, call: Call, body: Json, resource: Resource | None) -> Json:
        self.check_system(body, resource)
        given = body["properties"]
        return {"supportedOSType": given["supportedOSType"], **{name: given[name] for name in _DESCRIBING if given.get(name) is not None}}

    def patch(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        self.check_system(call.json(), resource)
        return super().patch(arm, call, resource)

    def delete(self, arm: Sandbox, call: Call, resource: Resource) -> Response:
        if versions := list(arm.store.collection(f"{resource.key}/versions").values()):
            raise nested(versions)
        return super().delete(arm, call, resource)

    def check_system(self, body: Json, resource: Resource | None) -> None:
        """Raises ArmError 409 where the body names another operating system than the application has."""
        given = field(body, "properties.supportedOSType")
        if resource is not None and given not in (None, resource.properties["supportedOSType"]):
            raise changed("galleryApplication", "supportedOSType")


register(Applications())
