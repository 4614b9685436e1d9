"""Fields come and go with api-versions: an answer shows what its own api-version knew. Some came and went on a day, in all api-versions
at once: an answer shows what Azure showed on the day that it is by the sandbox's clock.

The api-versions and the days are those between which recorded answers differ, narrowed by the "Minimum api-version" notes of the official
SDK. A path goes into the entries of every list on its way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from .wire import Json, moment

DISKS_UNTIL = moment("2023-01-01")  # until when writes of disks and snapshots were answered in the old way
AT_LAST = moment("9999-12-31")

_HIDDEN: Final = object()


def _until(end: str | float) -> tuple[float, float]:
    return -math.inf, end if isinstance(end, float) else moment(end)


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

_PROBE = (("properties.probeThreshold", "2022-05-01"), ("properties.noHealthyBackendsBehavior", "2024-01-01"))

_INTERFACES = "properties.virtualMachineProfile.networkProfile.networkInterfaceConfigurations.properties"  # of a scale set

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
    "microsoft.compute/galleries/applications": (("type", "2019-03-01"), ("properties.customActions", "2022-03-03")),
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
    "microsoft.compute/virtualmachinescalesets": (
        ("properties.orchestrationMode", "2020-12-01"),
        ("properties.timeCreated", "2021-11-01"),
        ("properties.virtualMachineProfile.storageProfile.osDisk.osType", "2020-12-01"),
        (f"{_INTERFACES}.disableTcpStateTracking", "2022-11-01"),
    ),
    "microsoft.compute/restorepointcollections/restorepoints": tuple(
        (f"properties.sourceMetadata.storageProfile.{disk}.diskRestorePoint.encryption", "2023-03-01") for disk in ("osDisk", "dataDisks")
    ),
    "microsoft.authorization/permissions": (("condition", "2022-04-01"),),
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
        ("kind", "2021-08-01"),
        ("properties.nicType", "2019-12-01"),
        ("properties.vnetEncryptionSupported", "2020-11-01"),
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
        ("properties.ipTags", "2017-11-01"),
        ("properties.ddosSettings", "2022-05-01"),
    ),
    "microsoft.network/loadbalancers": tuple((f"properties.probes.{path}", since) for path, since in _PROBE),
    "microsoft.network/loadbalancers/probes": _PROBE,
    "microsoft.network/networksecuritygroups": tuple(
        (f"properties.{rules}.{path}", since) for rules in ("securityRules", "defaultSecurityRules") for path, since in _RULE
    ),
    "microsoft.network/networksecuritygroups/securityrules": _RULE,
    "microsoft.network/networksecuritygroups/defaultsecurityrules": _RULE,
}


@dataclass(frozen=True)
class _Rule:
    """A field that is not there, or that is there with its default, in some answers.

    :param path: of the field.
    :param default: what the answer gets where the resource has no such field; ``_HIDDEN``: the answer does not show the field.
    :param versions: the first api-version of those, and the first that is none any more.
    :param days: from when until when, epoch seconds.
    :param answers: ``any``; ``writes``; ``creation``: of the PUT that made the resource.
    :param where: only where the value at this path begins so.
    """

    path: str
    default: Any = _HIDDEN
    versions: tuple[str, str] = ("", "~")
    days: tuple[float, float] = (-math.inf, math.inf)
    answers: Literal["any", "writes", "creation"] = "any"
    where: tuple[str, str] | None = None

    def on(self, now: float) -> bool:
        return self.days[0] <= now < self.days[1]

    def applied(self, body: Json) -> Json:
        path = self.path.split(".")
        if self.where is not None and not str(_at(body, self.where[0].split("."))).startswith(self.where[1]):
            return body
        return _without(body, path) if self.default is _HIDDEN else _with(body, path[:-1], path[-1], self.default)


# What came and went otherwise: type, lower case -> rules. The days are those between which recorded answers of one api-version differ.
_RULES: dict[str, tuple[_Rule, ...]] = {
    "microsoft.compute/virtualmachines": (
        _Rule("properties.osProfile.linuxConfiguration.enableVMAgentPlatformUpdates", False, versions=("2022-03-01", "2024-03-01")),
        _Rule("properties.osProfile.windowsConfiguration.enableVMAgentPlatformUpdates", False, versions=("2022-03-01", "2024-03-01")),
        _Rule("properties.storageProfile.osDisk.diskSizeGB", days=_until("2020-09-01"), answers="creation"),
    ),
    "microsoft.compute/virtualmachinescalesets": tuple(
        _Rule(
            f"properties.virtualMachineProfile.osProfile.{system}.enableVMAgentPlatformUpdates",
            False,
            versions=("2022-03-01", "2024-03-01"),
        )
        for system in ("linuxConfiguration", "windowsConfiguration")
    ),
    "microsoft.compute/disks": (
        _Rule("properties.tier", versions=("", "2023-01-02"), where=("sku.name", "Standard")),
        _Rule("id", days=_until("2022-03-01"), answers="writes"),
        _Rule("type", days=_until(DISKS_UNTIL), answers="writes"),
        _Rule("properties.isArmResource", True, days=_until(DISKS_UNTIL), answers="writes"),
    ),
    "microsoft.compute/snapshots": (
        _Rule("id", days=_until("2022-03-01"), answers="writes"),
        _Rule("type", days=_until(DISKS_UNTIL), answers="writes"),
        _Rule("properties.isArmResource", True, days=_until(DISKS_UNTIL), answers="writes"),
        _Rule("properties.publicNetworkAccess", "Enabled", versions=("2021-04-01", "~"), days=_until(DISKS_UNTIL), answers="writes"),
    ),
    "microsoft.compute/galleries": (
        _Rule("properties.sharingProfile", {"permissions": "Private"}, versions=("2020-09-30", "2021-07-01"), answers="writes"),
    ),
    "microsoft.network/virtualnetworks": (
        _Rule("properties.enableVmProtection", False, versions=("2017-09-01", "2020-11-01")),
        _Rule("properties.privateEndpointVNetPolicies", days=_until("2024-08-01")),
        *(
            _Rule(
                f"properties.{at}.ipamPoolPrefixAllocations",
                [],
                versions=("2024-01-01", "~"),
                days=(moment("2024-08-01"), moment("2024-10-15")),
            )
            for at in ("addressSpace", "subnets.properties")
        ),
    ),
    "microsoft.network/virtualnetworks/subnets": (
        _Rule("properties.ipamPoolPrefixAllocations", [], versions=("2024-01-01", "~"), days=(moment("2024-07-01"), moment("2024-10-15"))),
    ),
    "microsoft.network/networkinterfaces": (
        _Rule("properties.enableAcceleratedNetworking", False, versions=("2016-09-01", "2022-01-01")),
        _Rule("properties.enableAcceleratedNetworking", False, versions=("2016-09-01", "~"), days=_until("2023-01-01")),
        _Rule("properties.auxiliaryMode", days=_until("2023-07-01")),
        _Rule("properties.vnetEncryptionSupported", days=_until("2021-10-01")),
    ),
    "microsoft.managedidentity/userassignedidentities": (_Rule("properties.clientSecretUrl", versions=("2018-11-30", "~")),),
    "microsoft.network/loadbalancers": (
        _Rule("properties.frontendIPConfigurations.properties.privateIPAddressVersion", "IPv4", versions=("2021-02-01", "~")),
    ),
    "microsoft.network/loadbalancers/frontendipconfigurations": (
        _Rule("properties.privateIPAddressVersion", "IPv4", versions=("2021-02-01", "~")),
    ),
    "microsoft.network/publicipaddresses": (
        _Rule("sku.tier", versions=("2019-09-01", "2020-07-01")),
        _Rule("sku.tier", versions=("", "2018-04-01"), days=(moment("2020-01-01"), math.inf)),
    ),
}


@cache
def _rules(type: str, version: str) -> tuple[_Rule, ...]:
    """Of a type (lower case), those that concern answers of this api-version; fields are hidden first."""
    fields = (_Rule(path, versions=("", since)) for path, since in _FIELDS.get(type, ()))
    of = [rule for rule in (*fields, *_RULES.get(type, ())) if rule.versions[0] <= version < rule.versions[1]]
    return tuple(sorted(of, key=lambda rule: rule.default is not _HIDDEN))


def differs(type: str, version: str, now: float = AT_LAST) -> bool:
    """Whether an answer of this api-version may show something else than the newest one does; `now`: when, epoch seconds (default: as
    Azure is at last)."""
    return any(rule.on(now) for rule in _rules(type.lower(), version) if rule.answers == "any")


def shown(type: str, version: str, body: Json, now: float = AT_LAST) -> Json:
    """The body as that api-version shows it, at that time. `body` itself is left as it is."""
    return _applied(type, version, body, now, {"any"})


def written(type: str, version: str, body: Json, now: float = AT_LAST, *, created: bool = False) -> Json:
    """As `shown`, in the answer to a write; `created`: to the PUT that made the resource."""
    return _applied(type, version, body, now, {"any", "writes", "creation"} if created else {"any", "writes"})


def _applied(type: str, version: str, body: Json, now: float, answers: set[str]) -> Json:
    for rule in _rules(type.lower(), version):
        if rule.answers in answers and rule.on(now):
            body = rule.applied(body)
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
