"""Machine extensions as clients look them up: publishers' types and their versions.

The types are those that image building meets, with the versions that Microsoft's documentation and tests name: Azure has many more of both.
More are published through the control API (catalogue.publish).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..registry import route
from ..wire import JSON_TYPE, ArmError, Json, Response, pretty
from .catalogue import named

if TYPE_CHECKING:
    from ..call import Call
    from ..sandbox import Sandbox

# (publisher, type) -> (operating system, versions, oldest first)
EXTENSIONS: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {
    ("Microsoft.Azure.Extensions", "CustomScript"): ("Linux", ("2.0.7", "2.1.3", "2.1.10")),
    ("Microsoft.Azure.Monitor", "AzureMonitorLinuxAgent"): ("Linux", ("1.29.5", "1.33.1")),
    ("Microsoft.Azure.Monitor", "AzureMonitorWindowsAgent"): ("Windows", ("1.28.2", "1.31.0")),
    ("Microsoft.Azure.NetworkWatcher", "NetworkWatcherAgentLinux"): ("Linux", ("1.4.1974.1", "1.4.3320.1")),
    ("Microsoft.Azure.NetworkWatcher", "NetworkWatcherAgentWindows"): ("Windows", ("1.4.1974.1", "1.4.3320.1")),
    ("Microsoft.Azure.Security.LinuxAttestation", "GuestAttestation"): ("Linux", ("1.0.1", "1.0.3")),
    ("Microsoft.Azure.Security.WindowsAttestation", "GuestAttestation"): ("Windows", ("1.0.1", "1.0.3")),
    ("Microsoft.Compute", "BGInfo"): ("Windows", ("2.1", "2.2.5")),
    ("Microsoft.Compute", "CustomScriptExtension"): ("Windows", ("1.9.5", "1.10.15", "1.10.18")),
    ("Microsoft.Compute", "VMAccessAgent"): ("Windows", ("1.0.2", "2.0", "2.4.10")),
    ("Microsoft.OSTCExtensions", "CustomScriptForLinux"): ("Linux", ("1.4.1.0", "1.5.5.0")),
    ("Microsoft.OSTCExtensions", "VMAccessForLinux"): ("Linux", ("1.4.0.0", "1.5.11", "1.5.22")),
}
_ROOT = "subscriptions/{}/providers/Microsoft.Compute/locations/{}/publishers/{}/artifacttypes/vmextension/types"


def _missing() -> ArmError:
    return ArmError(404, "NotFound", "Artifact: VMExtension was not found.")


def extensions(arm: Sandbox) -> dict[tuple[str, str], dict[str, Json]]:
    """Every extension, by publisher and type: its versions, oldest first, with their properties."""
    made = {key: {version: _properties(system) for version in versions} for key, (system, versions) in EXTENSIONS.items()}
    for entry in arm.store.settings.get("published", []):
        if "type" in entry:
            versions = made.setdefault((entry["publisher"], entry["type"]), {})
            if "version" in entry:
                properties = entry.get("properties")
                # What is published without them has what the Compute document requires.
                versions[entry["version"]] = {**_required("Linux"), **properties} if properties else _properties("Linux")
    return made


def _required(system: str) -> Json:
    # The Compute document does not say what is in a schema.
    return {"operatingSystem": system, "computeRole": "IaaS", "handlerSchema": '{"type":"object"}'}


def _properties(system: str) -> Json:
    return {**_required(system), "vmScaleSetEnabled": True, "supportsMultipleExtensions": False}


def _find(arm: Sandbox, publisher: str, type: str) -> dict[str, Json]:
    for (one, two), known in extensions(arm).items():
        if (one.lower(), two.lower()) == (publisher.lower(), type.lower()):
            return known
    raise _missing()


def _entry(subscription: str, location: str, publisher: str, path: str) -> Json:
    place = f"/Subscriptions/{subscription}/Providers/Microsoft.Compute/Locations/{location}/Publishers/{publisher}"
    return {"location": location, "name": path.rsplit("/", 1)[-1], "id": f"{place}/ArtifactTypes/VMExtension/Types/{path}"}


def _shown(body: object) -> Response:
    return Response(200, {"content-type": JSON_TYPE}, pretty(body))


@route("GET", _ROOT)
def list_types(arm: Sandbox, call: Call, subscription: str, location: str, publisher: str) -> Response:
    types = [type for one, type in extensions(arm) if one.lower() == publisher.lower()]
    if not types and publisher.lower() not in (name.lower() for name in named(arm)):
        raise _missing()
    return _shown([_entry(subscription, location, publisher, type) for type in types])


@route("GET", _ROOT + "/{}/versions")
def list_versions(arm: Sandbox, call: Call, subscription: str, location: str, publisher: str, type: str) -> Response:
    found = [_entry(subscription, location, publisher, f"{type}/Versions/{version}") for version in _find(arm, publisher, type)]
    top = call.query.get("$top", "")
    return _shown(found[: int(top)] if top.isdigit() else found)


@route("GET", _ROOT + "/{}/versions/{}")
def show_version(arm: Sandbox, call: Call, subscription: str, location: str, publisher: str, type: str, version: str) -> Response:
    properties = _find(arm, publisher, type).get(version)
    if properties is None:
        raise _missing()
    return _shown({"properties": properties, **_entry(subscription, location, publisher, f"{type}/Versions/{version}")})
