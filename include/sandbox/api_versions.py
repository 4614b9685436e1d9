"""Api-versions: every one that was published, and what ARM answers to any other.

From recorded provider documents, Azure's specifications and the defaults of the official SDKs. Newest first.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from .regions import REGIONS
from .wire import ArmError

if TYPE_CHECKING:
    from .call import Call

_COMPUTE = (
    "2026-04-01 2026-03-01 2025-11-01 2025-04-01 2024-11-01 2024-07-01 2024-03-01 2023-09-01 2023-07-01 2023-03-01 2022-11-01 2022-08-01 "
    "2022-03-01 2021-11-01 2021-07-01 2021-04-01 2021-03-01 2020-12-01 2020-06-01 2019-12-01 2019-07-01 2019-03-01 2018-10-01 2018-06-01 "
    "2018-04-01 2017-12-01 2017-03-30 2016-08-30 2016-04-30-preview 2016-03-30 2015-06-15 2015-05-01-preview"
)
_DISKS = (
    "2026-03-02 2025-01-02 2024-03-02 2023-10-02 2023-04-02 2023-01-02 2022-07-02 2022-03-02 2021-12-01 2021-08-01 2021-04-01 2020-12-01 "
    "2020-09-30 2020-06-30 2020-05-01 2019-11-01 2019-07-01 2019-03-01 2018-09-30 2018-06-01 2018-04-01 2017-03-30 2016-04-30-preview"
)
_GALLERIES = (
    "2026-03-03 2025-03-03 2024-03-03 2023-07-03 2022-08-03 2022-03-03 2022-01-03 2021-10-01 2021-07-01 2021-03-01 2020-09-30 2019-12-01 "
    "2019-07-01 2019-03-01 2018-06-01"
)
_NETWORK = (
    "2026-03-01 2025-09-01 2025-07-01 2025-05-01 2025-03-01 2025-01-01 2024-10-01 2024-07-01 2024-05-01 2024-03-01 2024-01-01 2023-11-01 "
    "2023-09-01 2023-06-01 2023-05-01 2023-04-01 2023-02-01 2022-11-01 2022-09-01 2022-07-01 2022-05-01 2022-01-01 2021-12-01 2021-08-01 "
    "2021-06-01 2021-05-01 2021-04-01 2021-03-01 2021-02-01 2021-01-01 2020-11-01 2020-08-01 2020-07-01 2020-06-01 2020-05-01 2020-04-01 "
    "2020-03-01 2020-01-01 2019-12-01 2019-11-01 2019-09-01 2019-08-01 2019-07-01 2019-06-01 2019-04-01 2019-02-01 2018-12-01 2018-11-01 "
    "2018-10-01 2018-08-01 2018-07-01 2018-06-01 2018-05-01 2018-04-01 2018-03-01 2018-02-01 2018-01-01 2017-11-01 2017-10-01 2017-09-01 "
    "2017-08-01 2017-06-01 2017-04-01 2017-03-01 2016-12-01 2016-11-01 2016-10-01 2016-09-01 2016-08-01 2016-07-01 2016-06-01 2016-03-30 "
    "2015-06-15 2015-05-01-preview 2014-12-01-preview"
)
_RESOURCES = (
    "2026-06-01 2025-06-01 2025-04-01 2025-03-01 2024-11-01 2024-08-01 2024-07-01 2024-03-01 2023-07-01 2022-12-01 2022-09-01 2022-06-01 "
    "2022-05-01 2022-03-01-preview 2022-01-01 2021-10-01 2021-04-01 2021-01-01 2020-10-01 2020-09-01 2020-08-01 2020-07-01 2020-06-01 "
    "2020-05-01 2020-01-01 2019-11-01 2019-10-01 2019-09-01 2019-08-01 2019-07-01 2019-06-01 2019-05-10 2019-05-01 2019-04-01 2019-03-01 "
    "2018-11-01 2018-09-01 2018-08-01 2018-07-01 2018-06-01 2018-05-01 2018-02-01 2018-01-01 2017-12-01 2017-08-01 2017-06-01 2017-05-10 "
    "2017-05-01 2017-03-01 2016-09-01 2016-07-01 2016-06-01 2016-02-01 2015-11-01 2015-01-01 2014-04-01-preview 2014-04-01 2014-01-01"
)
_IDENTITIES = (
    "2025-05-31-preview 2025-01-31-preview 2024-11-30 2023-07-31-preview 2023-01-31 2022-01-31-preview 2021-09-30-preview 2018-11-30 "
    "2015-08-31-preview"
)
_AUTHORIZATION = {
    "locks": "2020-05-01 2017-04-01 2016-09-01 2015-01-01 2014-10-01-preview",
    "roleassignments": "2022-04-01 2021-04-01-preview 2020-10-01-preview 2020-04-01-preview 2020-03-01-preview 2018-09-01-preview "
    "2018-01-01-preview 2017-09-01 2016-07-01 2015-07-01 2015-06-01 2014-10-01-preview",
    "roledefinitions": "2022-05-01-preview 2022-04-01 2018-07-01 2018-01-01-preview 2017-09-01 2016-07-01 2015-07-01 2015-06-01",
    "denyassignments": "2022-04-01 2018-07-01-preview",
    "permissions": "2022-04-01 2018-07-01 2018-01-01-preview 2015-07-01 2015-06-01",
}


# Storage and key vaults: learn.microsoft.com's lists of Microsoft.Storage's and Microsoft.KeyVault's types, what the SDKs' operations name
# since, and for storage a recorded provider's document of 2025 (its type `locations`).
_SMALL = {
    "microsoft.storage": "2026-09-01 2026-06-01 2026-04-01 2025-08-01 2025-06-01 2025-01-01 2024-01-01 2023-05-01 2023-04-01 2023-01-01 "
    "2022-09-01 2022-05-01 2021-09-01 2021-08-01 2021-06-01 2021-05-01 2021-04-01 2021-02-01 2021-01-01 2020-08-01-preview 2019-06-01 "
    "2019-04-01 2018-11-01 2018-07-01 2018-03-01-preview 2018-02-01 2017-10-01 2017-06-01 2016-12-01 2016-05-01 2016-01-01 2015-06-15 "
    "2015-05-01-preview",
    "microsoft.keyvault": "2026-03-01-preview 2026-02-01 2025-05-01 2024-12-01-preview 2024-11-01 2024-04-01-preview 2023-07-01 "
    "2023-02-01 2022-11-01 2022-07-01 2022-02-01-preview 2021-11-01-preview 2021-10-01 2021-06-01-preview 2021-04-01-preview "
    "2020-04-01-preview 2019-09-01 2018-02-14 2018-02-14-preview 2016-10-01 2015-06-01",
    "microsoft.marketplaceordering": "2021-01-01 2015-06-01",
    "microsoft.features": "2021-07-01 2015-12-01 2014-08-01-preview",
    "microsoft.resourcegraph": "2024-04-01 2022-10-01 2021-06-01-preview 2021-03-01 2020-09-01-preview 2020-04-01-preview 2019-04-01 "
    "2018-09-01-preview",
}
# Types that came later than their namespace.
_SINCE = {
    "microsoft.storage/storageaccounts/blobservices/containers": "2018-02-01",
    "microsoft.storage/storageaccounts/blobservices": "2018-07-01",
    "microsoft.keyvault/vaults/accesspolicies": "2016-10-01",
    "microsoft.keyvault/vaults/keys": "2019-09-01",
}


@lru_cache(maxsize=512)
def known_versions(name: str) -> list[str]:
    """The public api-versions of a type (`Microsoft.Compute/galleries/images`), newest first."""
    space, _, kind = name.lower().partition("/")
    if space == "microsoft.compute":
        if kind.startswith("galleries"):
            return _GALLERIES.split()
        if kind.startswith("locations/") or kind in ("skus", "sharedgalleries", "communitygalleries"):  # each has those of its subject
            return sorted({*_COMPUTE.split(), *_DISKS.split(), *_GALLERIES.split(), "2019-04-01", "2017-09-01"}, reverse=True)
        disks = kind.split("/")[0] in ("disks", "snapshots", "diskencryptionsets", "diskaccesses") or "/diskrestorepoints" in kind
        return (_DISKS if disks else _COMPUTE).split()
    if space == "microsoft.network":
        return _NETWORK.split()
    if space == "microsoft.managedidentity":
        return _IDENTITIES.split()
    if space in _SMALL:
        since = next((first for start, first in _SINCE.items() if name.lower().startswith(start)), "")
        return [version for version in _SMALL[space].split() if version >= since]
    if space == "microsoft.authorization":
        return _AUTHORIZATION.get(kind, _AUTHORIZATION["permissions"]).split()
    return _RESOURCES.split()


@lru_cache(maxsize=512)
def _known(name: str) -> frozenset[str]:
    return frozenset(known_versions(name))


def check_route(call: Call) -> None:
    """As `check`, for a request that names no resource: by the type that its path names, or as one to Resource Manager itself."""
    if call.segments[0].lower() != "metadata":
        check(call, type_of(call.segments))


def type_of(segments: list[str]) -> str:
    """The type that a path names; one of Resource Manager itself where it names none."""
    lower = [segment.lower() for segment in segments]
    rest = segments[len(lower) - lower[::-1].index("providers") :] if "providers" in lower else []
    if "microsoft.features" in lower:  # a provider's features: /providers/Microsoft.Features/providers/Microsoft.Compute/features
        return "Microsoft.Features/features"
    if len(rest) > 1 and rest[1].lower() not in ("register", "unregister", "resourcetypes"):
        return "/".join((rest[0], *rest[1::2]))
    return "Microsoft.Resources/subscriptions"


def check(call: Call, name: str) -> None:
    """Raises ArmError 400 for an api-version that the type never had: NoRegisteredProviderFound, or InvalidApiVersionParameter for ARM's
    own types (texts: azure-cli#28496, azure-cli#28038)."""
    version = call.api_version
    if version.lower() in _known(name):
        return
    space, _, kind = name.partition("/")
    if space.lower() == "microsoft.resources":
        raise ArmError(
            400,
            "InvalidApiVersionParameter",
            f"The api-version '{version}' is invalid. The supported versions are '{','.join(known_versions(name))}'.",
            gateway=True,
        )
    location = call.trait("region")
    raise ArmError(
        400,
        "NoRegisteredProviderFound",
        f"No registered resource provider found for location '{location}' and API version '{version}' for type '{kind}'. "
        f"The supported api-versions are '{', '.join(sorted(known_versions(name)))}'. "
        f"The supported locations are '{', '.join(REGIONS[call.cloud.name])}'.",
        gateway=True,
    )
