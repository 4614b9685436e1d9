"""What a machine or scale set has installed from galleries: its applicationProfile. The sandbox's guests install nothing; what Azure looks
at before it lets a guest do so is looked at.

Texts: learn.microsoft.com, VM Applications, "Error messages" (its codes are not told there); the codes are those that images have with
the same texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..authorization import check_linked
from ..content import APPLICATION, APPLICATION_VERSION
from ..registry import field, invalid
from ..wire import ArmError, Json
from .references import latest_version, unavailable, usable

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

MOST = 25
_LIST = "applicationProfile.galleryApplications"


def check_applications(arm: Sandbox, call: Call, given: Json, location: str, system: str) -> None:
    """Look up each application that `given`, a machine's properties or a set's profile, names. `system`: Linux or Windows.

    Raises ArmError 404 for one that is not there, or not in the region; 403 LinkedAuthorizationFailed; 400 for another system's, for one
    that is named twice, and for too many.
    """
    wanted = field(given, _LIST, list, [])
    if len(wanted) > MOST:
        raise invalid(
            f"The maximum number of VM applications (max={MOST}, current={len(wanted)}) has been exceeded. Use fewer applications and "
            "retry the request.",
            _LIST,
        )
    seen = set()
    for one in wanted:
        id = str(one["packageReferenceId"])
        parts = id.split("/")
        kind = "/".join([*parts[6:7], *parts[7::2]]).lower()
        if len(parts) != 13 or kind != APPLICATION_VERSION.lower():
            raise invalid(f"Resource id '{id}' is not a valid gallery application version id.", f"{_LIST}.packageReferenceId")
        if (key := "/".join(parts[:11]).lower()) in seen:
            raise invalid("More than one VM Application was specified with the same packageReferenceId.", _LIST)
        seen.add(key)
        _check(arm, call, id, location, system)


def _check(arm: Sandbox, call: Call, id: str, location: str, system: str) -> None:
    parent, _, name = id.rsplit("/", 2)
    check_linked(arm, call, f"{APPLICATION_VERSION}/read", id)
    application = arm.resource(parent, APPLICATION)
    if application is None:
        raise ArmError(
            404,
            "PlatformImageNotFound",
            f"The platform image '{id}' is not available. Verify that all fields in the storage profile are correct. For more details "
            "about storage profile information, please refer to https://aka.ms/storageprofile",
            target="imageReference",
        )
    version = latest_version(arm, application, location) if name.lower() == "latest" else arm.resource(id, APPLICATION_VERSION)
    if version is None or not usable(arm, version, location):
        raise unavailable(id, location)
    own = application.properties["supportedOSType"]
    if own != system:
        raise invalid(f"Current VM Application Version {version.name} supports OS {own}, while current OSDisk's OS is {system}.", _LIST)
