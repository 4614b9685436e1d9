"""Fields come and go with api-versions: an answer shows what its own api-version knew. Some came and went on a day, in all api-versions
at once: an answer shows what Azure showed on the day that it is by the sandbox's clock.

The api-versions and the days are those between which recorded answers differ, narrowed by the "Minimum api-version" notes of the official
SDK. A path goes into the entries of every list on its way.
"""

from __future__ import annotations

import math
from typing import Any

from .wire import Json, moment

DISKS_UNTIL = moment("2023-04-01")  # until when writes of disks and snapshots were answered in the old way

_SUBNET = (
    ("type", "2018-01-01"),
    ("properties.delegations", "2018-04-01"),
    ("properties.privateEndpointNetworkPolicies", "2019-04-01"),
    ("properties.privateLinkServiceNetworkPolicies", "2019-04-01"),
)
_RULE = (
    ("type", "2018-01-01"),
    ("properties.sourcePortRanges", "2017-06-01"),
    ("properties.destinationPortRanges", "2017-06-01"),
    ("properties.sourceAddressPrefixes", "2017-06-01"),
    ("properties.destinationAddressPrefixes", "2017-06-01"),
)

_PEERING = (
    ("type", "2020-07-01"),
    ("properties.resourceGuid", "2020-07-01"),
    ("properties.doNotVerifyRemoteGateways", "2020-08-01"),
    ("properties.peeringSyncLevel", "2021-02-01"),
    ("properties.remoteVirtualNetworkAddressSpace", "2021-02-01"),
    ("properties.peerCompleteVnets", "2021-03-01"),
)

# type, lower case -> (path, the first api-version that shows it)
_FIELDS: dict[str, tuple[tuple[str, str], ...]] = {
    "microsoft.compute/virtualmachines": (
        ("etag", "2024-03-01"),
        ("properties.timeCreated", "2021-11-01"),
        ("properties.storageProfile.imageReference.exactVersion", "2019-07-01"),
        ("properties.storageProfile.osDisk.deleteOption", "2021-03-01"),
        ("properties.storageProfile.osDisk.diskSizeGB", "2018-06-01"),
        ("properties.storageProfile.dataDisks.deleteOption", "2021-03-01"),
        ("properties.storageProfile.dataDisks.toBeDetached", "2019-03-01"),
        ("properties.osProfile.allowExtensionOperations", "2018-06-01"),
        ("properties.osProfile.requireGuestProvisionSignal", "2019-03-01"),
        ("properties.osProfile.linuxConfiguration.provisionVMAgent", "2017-12-01"),
        ("properties.osProfile.linuxConfiguration.patchSettings", "2020-12-01"),
        ("properties.osProfile.linuxConfiguration.patchSettings.assessmentMode", "2021-03-01"),
        ("properties.osProfile.windowsConfiguration.patchSettings", "2020-06-01"),
        ("properties.osProfile.windowsConfiguration.patchSettings.assessmentMode", "2021-03-01"),
    ),
    "microsoft.compute/disks": (
        ("properties.uniqueId", "2019-03-01"),
        ("properties.diskSizeBytes", "2019-03-01"),
        ("properties.creationData.sourceUniqueId", "2019-03-01"),
        ("properties.encryption", "2019-07-01"),
        ("properties.networkAccessPolicy", "2020-05-01"),
        ("properties.publicNetworkAccess", "2021-04-01"),
        ("properties.supportedCapabilities", "2021-04-01"),
        ("properties.securityProfile", "2020-12-01"),
        ("properties.tier", "2020-12-01"),
    ),
    "microsoft.compute/snapshots": (
        ("properties.uniqueId", "2019-03-01"),
        ("properties.diskSizeBytes", "2019-03-01"),
        ("properties.incremental", "2019-03-01"),
        ("properties.creationData.sourceUniqueId", "2019-03-01"),
        ("properties.encryption", "2019-07-01"),
        ("properties.networkAccessPolicy", "2020-05-01"),
        ("properties.publicNetworkAccess", "2021-04-01"),
        ("properties.supportedCapabilities", "2021-04-01"),
        ("properties.completionPercent", "2021-12-01"),
        ("properties.incrementalSnapshotFamilyId", "2021-12-01"),
    ),
    "microsoft.compute/locations/publishers": (  # an image version's properties
        ("features", "2021-07-01"),
        ("architecture", "2021-03-01"),
        ("imageDeprecationStatus", "2022-08-01"),
    ),
    "microsoft.resources/tenants": (("tenantCategory", "2019-11-01"),),
    "microsoft.resources/subscriptions": (("managedByTenants", "2019-11-01"),),
    "microsoft.resources/subscriptions/locations": (
        ("type", "2021-01-01"),
        ("regionalDisplayName", "2019-11-01"),
        ("metadata", "2019-11-01"),
        ("metadata.geography", "2022-12-01"),
        ("availabilityZoneMappings", "2022-12-01"),
    ),
    "microsoft.resources/resourcegroups": (("type", "2018-05-01"),),
    "microsoft.compute/galleries": (
        ("type", "2019-03-01"),
        ("properties.sharingProfile", "2020-09-30"),
        ("properties.softDeletePolicy", "2021-10-01"),
        ("properties.sharingStatus", "2022-01-03"),
    ),
    "microsoft.compute/galleries/applications": (("type", "2019-03-01"), ("properties.customActions", "2022-08-03")),
    "microsoft.compute/galleries/images": (
        ("type", "2019-03-01"),
        ("properties.hyperVGeneration", "2019-03-01"),
        ("properties.features", "2020-09-30"),
        ("properties.architecture", "2021-07-01"),
    ),
    "microsoft.compute/galleries/images/versions": (
        ("type", "2019-03-01"),
        ("properties.safetyProfile", "2022-03-03"),
        ("properties.securityProfile", "2023-07-03"),
        ("properties.validationsProfile", "2023-07-03"),
    ),
    "microsoft.compute/images": (("properties.hyperVGeneration", "2019-03-01"),),
    "microsoft.network/virtualnetworks": (
        ("properties.enableDdosProtection", "2017-09-01"),
        ("properties.flowTimeoutInMinutes", "2021-02-01"),
        ("properties.encryption", "2021-05-01"),
        ("properties.privateEndpointVNetPolicies", "2024-05-01"),
        *((f"properties.subnets.{path}", since) for path, since in _SUBNET),
        *((f"properties.virtualNetworkPeerings.{path}", since) for path, since in _PEERING),
    ),
    "microsoft.network/virtualnetworks/virtualnetworkpeerings": _PEERING,
    "microsoft.network/virtualnetworks/subnets": _SUBNET,
    "microsoft.network/networkinterfaces": (
        ("kind", "2021-03-01"),
        ("properties.nicType", "2019-12-01"),
        ("properties.vnetEncryptionSupported", "2021-05-01"),
        ("properties.allowPort25Out", "2021-08-01"),
        ("properties.auxiliaryMode", "2021-05-01"),
        ("properties.auxiliarySku", "2022-11-01"),
        ("properties.disableTcpStateTracking", "2022-05-01"),
        ("properties.hostedWorkloads", "2018-08-01"),
        ("properties.tapConfigurations", "2018-08-01"),
        ("properties.ipConfigurations.type", "2018-01-01"),
    ),
    "microsoft.network/publicipaddresses": (
        ("zones", "2017-06-01"),
        ("sku", "2017-08-01"),
        ("sku.tier", "2018-04-01"),
        ("properties.ipTags", "2017-11-01"),
        ("properties.ddosSettings", "2022-05-01"),
    ),
    "microsoft.network/networksecuritygroups": tuple(
        (f"properties.{rules}.{path}", since) for rules in ("securityRules", "defaultSecurityRules") for path, since in _RULE
    ),
    "microsoft.network/networksecuritygroups/securityrules": _RULE,
    "microsoft.network/networksecuritygroups/defaultsecurityrules": _RULE,
}


# type, lower case -> (the object, the field, its default, the first api-version that shows the default, the first that does not)
_PASSING: dict[str, tuple[tuple[str, str, Any, str, str], ...]] = {
    "microsoft.compute/virtualmachines": (
        ("properties.osProfile.linuxConfiguration", "enableVMAgentPlatformUpdates", False, "2022-03-01", "2024-03-01"),
        ("properties.osProfile.windowsConfiguration", "enableVMAgentPlatformUpdates", False, "2022-03-01", "2024-03-01"),
    ),
    "microsoft.network/virtualnetworks": (("properties", "enableVmProtection", False, "2017-09-01", "2020-11-01"),),
    "microsoft.network/networkinterfaces": (("properties", "enableAcceleratedNetworking", False, "2016-09-01", "2022-01-01"),),
}
# type, lower case -> (path, the first api-version that no longer shows it, the first that shows it again)
_GAPS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "microsoft.network/publicipaddresses": (("sku.tier", "2019-09-01", "2020-07-01"),),
}
# type, lower case -> (path, the first api-version that shows it in the answer to the PUT that makes the resource)
_MADE: dict[str, tuple[tuple[str, str], ...]] = {
    "microsoft.compute/virtualmachines": (("properties.storageProfile.osDisk.diskSizeGB", "2020-06-01"),),
}
# type, lower case -> (path, the first api-version that shows it where the value at another path begins so)
_SOME: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "microsoft.compute/disks": (("properties.tier", "2023-01-02", "sku.name", "Standard"),),
}

# What came and went on a day, in all api-versions at once (days between which recorded answers of one api-version differ): type, lower
# case -> (the object, the field, its default, the first api-version that shows the default, the first day, the day when it was gone)
_DAYS: dict[str, tuple[tuple[str, str, Any, str, float, float], ...]] = {
    "microsoft.network/virtualnetworks": (
        ("properties.addressSpace", "ipamPoolPrefixAllocations", [], "2024-01-01", moment("2024-08-01"), moment("2024-10-15")),
        ("properties.subnets.properties", "ipamPoolPrefixAllocations", [], "2024-01-01", moment("2024-08-01"), moment("2024-10-15")),
    ),
    "microsoft.network/virtualnetworks/subnets": (
        ("properties", "ipamPoolPrefixAllocations", [], "2024-01-01", moment("2024-07-01"), moment("2024-10-15")),
    ),
    "microsoft.network/networkinterfaces": (("properties", "enableAcceleratedNetworking", False, "2016-09-01", 0.0, moment("2023-01-01")),),
}
# type, lower case -> (path, the first day that shows it)
_SINCE: dict[str, tuple[tuple[str, float], ...]] = {
    "microsoft.network/virtualnetworks": (("properties.privateEndpointVNetPolicies", moment("2024-08-01")),),
    "microsoft.network/networkinterfaces": (("properties.auxiliaryMode", moment("2023-07-01")),),
}
# The same in answers to writes: type, lower case -> (path, the day until which it is hidden)
_HIDDEN: dict[str, tuple[tuple[str, float], ...]] = {
    "microsoft.compute/disks": (("id", moment("2022-01-01")), ("type", DISKS_UNTIL)),
    "microsoft.compute/snapshots": (("id", moment("2022-01-01")), ("name", DISKS_UNTIL), ("type", DISKS_UNTIL)),
}
# and -> (a property, its value, the first api-version that shows it, the first that does not, the day until which it is shown)
_ADDED: dict[str, tuple[tuple[str, Any, str, str, float], ...]] = {
    "microsoft.compute/disks": (("isArmResource", True, "", "~", DISKS_UNTIL),),
    "microsoft.compute/snapshots": (
        ("isArmResource", True, "", "~", DISKS_UNTIL),
        ("publicNetworkAccess", "Enabled", "2021-04-01", "~", DISKS_UNTIL),
    ),
    "microsoft.compute/galleries": (("sharingProfile", {"permissions": "Private"}, "2020-09-30", "2021-07-01", math.inf),),
}
_NEWEST = {type: max(since for _, since in fields) for type, fields in _FIELDS.items()}


def differs(type: str, version: str, now: float = math.inf) -> bool:
    """Whether an answer of this api-version may show something else than the newest one does; `now`: when, epoch seconds (default: as
    Azure is at last)."""
    key = type.lower()
    if any(version < since for _, since, *_ in _SOME.get(key, ())):
        return True
    if any(first <= now < last for *_, first, last in _DAYS.get(key, ())) or any(now < first for _, first in _SINCE.get(key, ())):
        return True
    passing = (*_PASSING.get(key, ()), *_GAPS.get(key, ()))
    return version < _NEWEST.get(key, "") or any(since <= version < until for *_, since, until in passing)


def shown(type: str, version: str, body: Json, now: float = math.inf) -> Json:
    """The body as that api-version shows it, at that time. `body` itself is left as it is."""
    key = type.lower()
    if not differs(key, version, now):
        return body
    for path, since in _FIELDS.get(key, ()):
        if version < since:
            body = _without(body, path.split("."))
    for path, first in _SINCE.get(key, ()):
        if now < first:
            body = _without(body, path.split("."))
    for path, gone, back in _GAPS.get(key, ()):
        if gone <= version < back:
            body = _without(body, path.split("."))
    for path, since, where, start in _SOME.get(key, ()):
        if version < since and str(_at(body, where.split("."))).startswith(start):
            body = _without(body, path.split("."))
    for path, name, value, since, until in _PASSING.get(key, ()):
        if since <= version < until:
            body = _with(body, path.split("."), name, value)
    for path, name, value, since, first, last in _DAYS.get(key, ()):
        if since <= version and first <= now < last:
            body = _with(body, path.split("."), name, value)
    return body


def written(type: str, version: str, body: Json, now: float = math.inf, *, created: bool = False) -> Json:
    """As `shown`, in the answer to a write; `created`: to the PUT that made the resource."""
    key = type.lower()
    body = shown(key, version, body, now)
    for path, since in _MADE.get(key, ()) if created else ():
        if version < since:
            body = _without(body, path.split("."))
    for path, until in _HIDDEN.get(key, ()):
        if now < until:
            body = _without(body, path.split("."))
    for name, value, since, gone, until in _ADDED.get(key, ()):
        if since <= version < gone and now < until:
            body = _with(body, ["properties"], name, value)
    return body


def _at(value: Any, path: list[str]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _with(value: Json, path: list[str], name: str, default: Any) -> Json:
    if not path:
        return value if name in value else {**value, name: default}
    below = value.get(path[0])
    if isinstance(below, list):
        return {**value, path[0]: [_with(one, path[1:], name, default) if isinstance(one, dict) else one for one in below]}
    return {**value, path[0]: _with(below, path[1:], name, default)} if isinstance(below, dict) else value


def _without(value: Json, path: list[str]) -> Json:
    first, rest = path[0], path[1:]
    if first not in value:
        return value
    if not rest:
        return {name: below for name, below in value.items() if name != first}
    below = value[first]
    if isinstance(below, dict):
        return {**value, first: _without(below, rest)}
    if isinstance(below, list):
        return {**value, first: [_without(one, rest) if isinstance(one, dict) else one for one in below]}
    return value
