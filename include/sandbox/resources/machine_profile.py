"""A machine's osProfile, with Azure's defaults and without its secrets."""

from __future__ import annotations

import base64
import binascii
import re

from ..content import Origin
from ..registry import field, invalid, one_of, required
from ..wire import ArmError, Json

# learn.microsoft.com, OSProfile.adminUsername
_DISALLOWED = frozenset(
    [
        "administrator",
        "admin",
        "user",
        "user1",
        "test",
        "user2",
        "test1",
        "user3",
        "admin1",
        "1",
        "123",
        "a",
        "actuser",
        "adm",
        "admin2",
        "aspnet",
        "backup",
        "console",
        "david",
        "guest",
        "john",
        "owner",
        "root",
        "server",
        "sql",
        "support",
        "support_388945a0",
        "sys",
        "test2",
        "test3",
        "user4",
        "user5",
    ]
)
_LINUX_PATCHING = ("ImageDefault", "AutomaticByPlatform")
_WINDOWS_PATCHING = ("Manual", "AutomaticByOS", "AutomaticByPlatform")


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
    windows = origin.content["os"] == "Windows"
    computer = given.get("computerName") or name
    _check_computer_name(computer, windows)
    user = required(given, "adminUsername", target="osProfile.adminUsername")
    if user.lower() in _DISALLOWED or user.endswith(".") or not 1 <= len(user) <= (20 if windows else 64):
        more = "" if windows else " For more information about disallowed usernames, see https://aka.ms/vmosprofile"
        raise invalid(f"The Admin Username specified is not allowed.{more}", "adminUsername")
    own = "windowsConfiguration" if windows else "linuxConfiguration"
    foreign = "linuxConfiguration" if windows else "windowsConfiguration"
    if given.get(foreign):
        raise invalid(f"The property '{foreign}' cannot be used together with the property '{origin.content['os']}'.", foreign)
    _check_custom_data(given)
    configuration = dict(field(given, own, dict, {}))
    _check_credentials(given, configuration, windows)
    configuration.setdefault("provisionVMAgent", True)
    if windows:
        configuration.setdefault("enableAutomaticUpdates", True)
        for content in field(configuration, "additionalUnattendContent", list, []):
            content.pop("content", None)  # write-only
    else:
        configuration.setdefault("disablePasswordAuthentication", not given.get("adminPassword"))
    configuration["patchSettings"] = _patching(configuration, windows)
    made: Json = {"computerName": computer, "adminUsername": user, own: configuration}
    allowed = given.get("allowExtensionOperations")
    return made | {
        "secrets": given.get("secrets") or [],
        "allowExtensionOperations": True if allowed is None else allowed,
        "requireGuestProvisionSignal": field(given, "requireGuestProvisionSignal", bool, True),
    }


def _check_computer_name(name: str, windows: bool) -> None:
    if windows and (len(name) > 15 or name.isdigit() or re.search(r"[`~!@#$%^&*()=+_\[\]{}\\|;:.'\",<>/?\s]", name)):
        raise invalid(
            "Windows computer name cannot be more than 15 characters long, be entirely numeric, or contain the following "
            "characters: ` ~ ! @ # $ % ^ & * ( ) = + _ [ ] { } \\ | ; : . ' \" , < > / ?.",
            "computerName",
        )
    if not windows and (len(name) > 64 or re.search(r"[`~!@#$%^&*()=+_\[\]{}\\|;:'\",<>/?\s]", name)):
        raise invalid(
            "Linux host name cannot exceed 64 characters in length or contain the following characters: "
            "` ~ ! @ # $ % ^ & * ( ) = + _ [ ] { } \\ | ; : ' \" , < > / ?.",
            "computerName",
        )


def _check_custom_data(given: Json) -> None:
    """customData is Base64, at most 64 KiB of it; it is never shown."""
    data = field(given, "customData")
    if data is None:
        return
    try:
        size = len(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        raise invalid(
            "Custom data in OSProfile must be in Base64 encoding and with a maximum length of 87380 characters.", "customData"
        ) from None
    if size > 65_535:
        raise invalid("Custom data in OSProfile must be in Base64 encoding and with a maximum length of 87380 characters.", "customData")


def _check_credentials(given: Json, configuration: Json, windows: bool) -> None:
    password = given.get("adminPassword")
    keys = field(configuration, "ssh.publicKeys", list, [])
    if windows and not password:
        raise invalid("Required parameter 'adminPassword' is missing (null).", "adminPassword")
    if not windows and not password and not keys:
        if configuration.get("disablePasswordAuthentication"):
            raise invalid(
                "Authentication using either SSH or by user name and password must be enabled in Linux profile. For more information, see "
                "https://aka.ms/linux-auth.",
                "linuxConfiguration",
            )
        raise invalid("Required parameter 'adminPassword' is missing (null).", "adminPassword")
    for key in keys:
        required(key, "keyData", target="linuxConfiguration.ssh.publicKeys.keyData")
        path = required(key, "path", target="linuxConfiguration.ssh.publicKeys.path")
        home = f"/home/{given['adminUsername']}/.ssh/authorized_keys"
        if path.lower() != home.lower():
            raise invalid(
                f"Destination path for SSH public keys is currently limited to its default value {home} due to a known issue in Linux "
                "provisioning agent.",
                "linuxConfiguration.ssh.publicKeys.path",
            )
    if password is None:
        return
    classes = sum(bool(re.search(pattern, password)) for pattern in (r"[a-z]", r"[A-Z]", r"\d", r"[\W_]"))
    least, most = (8, 123) if windows else (6, 72)
    if classes < 3 or not least <= len(password) <= most:
        raise invalid(
            f"The supplied password must be between {least}-{most} characters long and must satisfy at least 3 of password complexity "
            "requirements from the following: 1) Contains an uppercase character 2) Contains a lowercase character 3) Contains a numeric "
            "digit 4) Contains a special character 5) Control characters are not allowed",
            "adminPassword",
        )


def _patching(configuration: Json, windows: bool) -> Json:
    given = dict(field(configuration, "patchSettings", dict, {}))
    mode = one_of(given, "patchMode", _WINDOWS_PATCHING if windows else _LINUX_PATCHING)
    if mode is None:
        mode = ("AutomaticByOS" if configuration.get("enableAutomaticUpdates", True) else "Manual") if windows else "ImageDefault"
    if mode == "AutomaticByPlatform" and not configuration.get("provisionVMAgent", True):
        raise invalid("patchMode 'AutomaticByPlatform' requires 'provisionVMAgent' to be set to 'true'.", "patchSettings.patchMode")
    if windows and mode == "Manual" and configuration.get("enableAutomaticUpdates"):
        raise ArmError(
            409,
            "OperationNotAllowed",
            "patchMode 'Manual' requires 'enableAutomaticUpdates' to be set to 'false'.",
            target="windowsConfiguration.patchSettings.patchMode",
        )
    given["patchMode"] = mode
    given["assessmentMode"] = field(given, "assessmentMode", str, "ImageDefault")
    return given
