"""A machine's osProfile, with Azure's defaults and without its secrets."""

from __future__ import annotations

from ..content import Origin
from ..registry import field, invalid, required
from ..wire import Json


def os_profile(body: Json, origin: Origin, name: str) -> Json | None:
    """osProfile with defaults. A generalized image needs one, a specialized one must not have one
    (troubleshooting-shared-images.md)."""
    given = field(body, "properties.osProfile", dict)
    if origin.state != "Generalized":
        if given is not None:
            raise invalid("Parameter 'osProfile' is not allowed.", "osProfile")
        return None
    if given is None:
        raise invalid("Required parameter 'osProfile' is missing (null).", "osProfile")
    computer = given.get("computerName") or name
    user = required(given, "adminUsername", target="osProfile.adminUsername")
    windows = origin.content["os"] == "Windows"
    if windows and len(computer) > 15:
        raise invalid(
            "Windows computer name cannot be more than 15 characters long, be entirely numeric, or contain the following "
            "characters: ` ~ ! @ # $ % ^ & * ( ) = + _ [ ] { } \\ | ; : . ' \" , < > / ?.",
            "computerName",
        )
    if user.lower() in ("admin", "administrator", "root", "guest", "user", "test"):
        raise invalid(
            f"The Admin Username specified is not allowed.{'' if windows else ' For more information about disallowed usernames, see https://aka.ms/vmosprofile'}",
            "adminUsername",
        )
    own = "windowsConfiguration" if windows else "linuxConfiguration"
    foreign = "linuxConfiguration" if windows else "windowsConfiguration"
    if given.get(foreign):
        raise invalid(f"The property '{foreign}' cannot be used together with the property '{origin.content['os']}'.", foreign)
    configuration = dict(field(given, own, dict, {}))
    keys = field(configuration, "ssh.publicKeys", list, [])
    if not given.get("adminPassword") and (windows or not keys):
        raise invalid("Required parameter 'adminPassword' is missing (null).", "adminPassword")
    made: Json = {"computerName": computer, "adminUsername": user}
    if given.get("customData"):
        pass  # write-only
    configuration.setdefault("provisionVMAgent", True)
    if windows:
        configuration.setdefault("enableAutomaticUpdates", True)
        configuration.setdefault("patchSettings", {"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"})
    else:
        configuration.setdefault("disablePasswordAuthentication", not given.get("adminPassword"))
        configuration.setdefault("patchSettings", {"patchMode": "ImageDefault", "assessmentMode": "ImageDefault"})
    made[own] = configuration
    made |= {
        "secrets": given.get("secrets") or [],
        "allowExtensionOperations": given.get("allowExtensionOperations", True),
        "requireGuestProvisionSignal": True,
    }
    return made
