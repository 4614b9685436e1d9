"""Before anything is paid for: what Azure offers this subscription, compared with what a run needs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from include.steps.azure import Azure
from include.steps.errors import StepError, StepSkipped
from include.steps.look import look
from include.steps.network import API_VERSION as NETWORK
from include.steps.target_region import normal

if TYPE_CHECKING:
    from include.factory.preflight import Findings, Needs, Offer

log = logging.getLogger(__name__)

# Every region has it; others depend on the region.
EVERYWHERE = "Standard_LRS"
# No right to look: the run finds out as it goes.
UNREAD = "unread"
# What running builds use, they give back.
QUOTA_PAUSE = 300.0


def conclude(what: str, found: Findings, document: dict[str, Any], *, dry_run: bool, nothing: str | None = None) -> dict[str, Any]:
    """The end of every plan: the document, where there is something to do and nothing is in the way of it.

    :param nothing: why there is nothing to do, or None.
    :raises StepSkipped: a dry run, or nothing to do; its result is the document.
    :raises StepError: as :func:`refuse`.
    """
    refuse(what, found)
    if dry_run:
        raise StepSkipped("This is a dry run: the plan is in the log, and nothing was written.", document)
    if nothing is not None:
        raise StepSkipped(nothing, document)
    return document


async def obstacles(parts: Mapping[str, tuple[Azure, Needs]]) -> tuple[dict[str, str], Findings]:
    """What is in the way of each part of a plan whose parts do not need each other, so that one delays no other.

    :param parts: name -> the clients that do it, and what it needs.
    :return: name -> what is in its way, of the parts that cannot be done; and all of that as findings where none can.
    """
    from include.factory.preflight import Findings

    found = await asyncio.gather(*(findings(azure, needs) for azure, needs in parts.values()))
    wrong = {name: [*one.problems, *one.waiting] for name, one in zip(parts, found, strict=True) if one.problems or one.waiting}
    left = {name: " ".join(problems) for name, problems in wrong.items()}
    if not left or len(left) < len(parts):
        return left, Findings()
    return left, Findings(problems=tuple(dict.fromkeys(problem for problems in wrong.values() for problem in problems)))


def refuse(what: str, found: Findings) -> None:
    """Stop what cannot be done.

    :param what: name of what is planned, for the message.
    :raises StepError: ``CannotBePlanned``: everything that is in the way, each with its cure; ``QuotaInUse`` (kind ``transient``): only
        quota that running machines use.
    """
    if found.problems:
        raise refusal(what, [*found.problems, *found.waiting])
    if found.waiting:
        text = " ".join(found.waiting)
        raise StepError(
            "transient",
            "QuotaInUse",
            text,
            "Nothing: the next try looks again. If it lasts, stop machines that nobody needs, or ask for more quota.",
            retry_after=QUOTA_PAUSE,
            patient=True,
        )


def refusal(what: str, problems: list[str]) -> StepError:
    """The error that names everything that is in the way of ``what``."""
    return StepError(
        "permanent",
        "CannotBePlanned",
        f"{what} cannot be done: {' '.join(problems)}",
        "Correct what is named; then clear this task, or start a new run.",
        details=problems,
    )


async def findings(azure: Azure, needs: Needs) -> Findings:
    """Read the offer and name what is in the way."""
    from include.factory.preflight import find

    return find(needs, await read(azure, needs))


async def read(azure: Azure, needs: Needs) -> Offer:
    """Read what Azure offers as far as ``needs`` asks, all at once."""
    from include.factory.preflight import Offer

    machine = needs.machine
    special = {region.name for region in needs.regions if (region.storage_account_type or EVERYWHERE) != EVERYWHERE}
    places = sorted(special | ({machine.region} if machine else set()))
    sets = sorted({region.encryption_set for region in needs.regions if region.encryption_set})
    given = [*([machine.subnet] if machine.subnet else []), *machine.identities] if machine else []
    locations, usages, skus, encryption, found, permissions, accepted = await asyncio.gather(
        azure.remembered("locations", partial(_locations, azure)) if machine or needs.regions else _nowhere(),
        _usages(azure, machine.region) if machine else _nothing(),
        asyncio.gather(*(azure.remembered(f"skus {place}", partial(_skus, azure, place)) for place in places)),
        asyncio.gather(*(_encryption_set(azure, one) for one in sets)),
        asyncio.gather(*(_place(azure, one) for one in given)),
        asyncio.gather(*(azure.remembered(f"rights {scope}", partial(_permissions, azure, scope)) for scope in needs.rights)),
        _accepted(azure, needs.purchase.path) if needs.purchase else _untold(),
    )
    offered = dict(zip(places, skus, strict=True))
    return Offer.model_validate(
        {
            "locations": locations,
            "sizes": offered[machine.region]["sizes"] if machine else {},
            "usages": usages,
            "storage": {name: offered[name]["storage"] for name in special if offered[name]["storage"]},
            "encryption_sets": dict(zip(sets, encryption, strict=True)),
            "places": {one: where for one, where in zip(given, found, strict=True) if where != UNREAD},
            "permissions": dict(zip(needs.rights, permissions, strict=True)),
            "accepted": accepted,
        }
    )


async def _nothing() -> dict[str, Any]:
    return {}


async def _nowhere() -> list[str]:
    return []


async def _untold() -> None:
    return None


async def _locations(azure: Azure) -> list[str]:
    body = await azure.read(f"/subscriptions/{azure.subscription_id}/locations", "2022-12-01")
    return [item["name"] for item in body["value"]]


async def _usages(azure: Azure, location: str) -> dict[str, Any]:
    return {
        usage["name"]["value"]: {"used": usage["currentValue"], "limit": usage["limit"]}
        async for usage in azure.compute.usage.list(location)
    }


async def _skus(azure: Azure, location: str) -> dict[str, Any]:
    """``{"sizes": {name: fields of Size}, "storage": [names]}`` of one region."""
    sizes: dict[str, dict[str, Any]] = {}
    storage: list[str] = []
    async for one in azure.compute.resource_skus.list(filter=f"location eq '{location}'"):
        sku = one.as_dict()
        if sku["resourceType"] == "virtualMachines":
            sizes[sku["name"].lower()] = _size(sku, location)
        elif sku["resourceType"] == "snapshots":
            storage.append(sku["name"])
    return {"sizes": sizes, "storage": storage}


def _size(sku: dict[str, Any], location: str) -> dict[str, Any]:
    capabilities = {item["name"]: item["value"] for item in sku.get("capabilities") or ()}
    restrictions = sku.get("restrictions") or ()
    zones = {
        zone
        for info in sku.get("locationInfo") or ()
        if normal(info["location"]) == location
        for zone in info.get("zones") or ()
    }  # fmt: skip
    return {
        "family": sku["family"],
        "vcpus": int(capabilities["vCPUs"]),
        "generations": capabilities.get("HyperVGenerations", "V1").split(","),
        "architecture": capabilities.get("CpuArchitectureType", "x64"),
        "zones": sorted(zones),
        "closed": any(one["type"] == "Location" for one in restrictions),
        "closed_zones": sorted(
            {zone for one in restrictions if one["type"] == "Zone" for zone in one["restrictionInfo"].get("zones") or ()}
        ),
        "trusted_launch": capabilities.get("TrustedLaunchDisabled") != "True",
        "confidential": bool(capabilities.get("ConfidentialComputingType")),
        "spot": capabilities.get("LowPriorityCapable") != "False",
    }


async def _encryption_set(azure: Azure, id: str) -> str | None:
    """The set's region; None where there is none."""
    segments = id.split("/")
    found = await look(azure.compute.disk_encryption_sets.get(segments[4], segments[-1]))
    return normal(found["location"]) if found else None


async def _place(azure: Azure, id: str) -> str | None:
    """The region of a subnet's network or of a managed identity; None where there is no such thing, :data:`UNREAD` where nobody tells."""
    from azure.core.exceptions import HttpResponseError

    network, _, subnet = id.partition("/subnets/")
    try:
        found = await azure.read(network, NETWORK if subnet else "2023-01-31")
    except HttpResponseError as error:
        if error.status_code == 404:
            return None
        log.info("Whether there is %s cannot be read (HTTP %s).", id, error.status_code)
        return UNREAD
    names = [one["name"].lower() for one in found.get("properties", {}).get("subnets") or ()]
    return None if subnet and subnet.lower() not in names else normal(found["location"])


async def _accepted(azure: Azure, terms: str) -> bool | None:
    """Whether the subscription accepted the terms of a purchase plan; None where nobody tells.

    Reading them is a right (Microsoft.MarketplaceOrdering/offerTypes/publishers/offers/plans/agreements/read), and not every plan has terms
    to be read (a private offer's preview); without it the run finds out when it makes the machine. Asked each time: people accept terms
    because a run told them to, and clear its task.
    """
    from azure.core.exceptions import HttpResponseError

    try:
        body = await azure.read(terms, "2021-01-01")
    except HttpResponseError as error:
        log.info("Whether the terms %s are accepted cannot be read (HTTP %s).", terms, error.status_code)
        return None
    return bool(body["properties"]["accepted"])


async def _permissions(azure: Azure, scope: str) -> list[dict[str, Any]] | None:
    """The roles held at a scope, or above it where the scope is not there yet; None where nobody tells.

    Reading them is a right of its own (Microsoft.Authorization/permissions/read); without it the run finds out as it goes.
    """
    from azure.core.exceptions import HttpResponseError

    parts = scope.split("/")
    # Itself, its resource group and its subscription.
    for where in dict.fromkeys((scope, "/".join(parts[:5]), "/".join(parts[:3]))):
        try:
            body = await azure.read(f"{where}/providers/Microsoft.Authorization/permissions", "2022-04-01")
        except HttpResponseError as error:
            if error.status_code != 404:
                log.info("The roles held at %s cannot be read (HTTP %s).", where, error.status_code)
                return None
            continue
        return [{"actions": one.get("actions") or (), "not_actions": one.get("notActions") or ()} for one in body["value"]]
    return None
