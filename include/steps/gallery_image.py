"""Image definitions of a gallery."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from include.steps.azure import Azure
from include.steps.errors import StepError
from include.steps.look import Found, Resource, look, settle, step

log = logging.getLogger(__name__)


@step
async def ensure(
    azure: Azure,
    *,
    resource_group: str,
    gallery: str,
    name: str,
    location: str,
    os_type: str,
    os_state: str,
    hyper_v_generation: str,
    architecture: str,
    publisher: str,
    offer: str,
    sku: str,
    features: dict[str, str],
    description: str | None = None,
    end_of_life: str | None = None,
    recommended: dict[str, Any] | None = None,
    plan: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
) -> str:
    """Create the image definition when it is missing; return its ARM id.

    :param os_type: ``Linux`` or ``Windows``; ``os_state``: ``Generalized`` or ``Specialized`` (any case); ``hyper_v_generation``: ``V1``
        or ``V2``; ``architecture``: ``x64`` or ``Arm64``.
    :param features: Azure's feature names and values, ``{"SecurityType": "TrustedLaunch"}``.
    :param end_of_life: ISO date or time.
    :param recommended: ARM's ``recommended`` object (``vCPUs`` and ``memory``, each ``min`` and ``max``).
    :param plan: marketplace purchase plan ``{"name", "product", "publisher"}``, where the source of its versions has one: whoever makes a
        machine of them reads here what to send.
    :raises StepError: ``DefinitionDiffers``: one exists whose fixed properties are others (they can never be changed:
        troubleshooting-shared-images).
    """
    properties: dict[str, Any] = {
        "osType": os_type.capitalize(),
        "osState": os_state.capitalize(),
        "hyperVGeneration": hyper_v_generation,
        "architecture": architecture,
        "identifier": {"publisher": publisher, "offer": offer, "sku": sku},
        "features": [{"name": feature, "value": str(value)} for feature, value in sorted(features.items())],
        "description": description,
        "endOfLifeDate": end_of_life,
        "recommended": recommended,
        "purchasePlan": plan,
    }
    properties = {key: value for key, value in properties.items() if value}
    definitions = azure.compute.gallery_images

    async def read() -> Resource | None:
        return await look(definitions.get(resource_group, gallery, name))

    found, definition = await settle(read)
    if found is Found.DONE and definition is not None:
        _check(
            definition,
            {
                "os_type": os_type,
                "os_state": os_state,
                "hyper_v_generation": hyper_v_generation,
                "architecture": architecture,
                "publisher": publisher,
                "offer": offer,
                "sku": sku,
                "features": features,
                "plan": plan,
            },
        )
    else:
        body = {"location": location, "tags": tags or {}, "properties": properties}
        definition = await azure.finish(
            definitions.begin_create_or_update, resource_group, gallery, name, body, kind="galleries/images PUT"
        )
        log.info("Image definition %s/%s is made.", gallery, name)
    return str(definition["id"])


def facts(definition: Resource) -> dict[str, Any]:
    """The fields of :class:`include.factory.facts.DefinitionFacts`."""
    properties = definition["properties"]
    return {
        "location": definition["location"],
        "os_type": properties["osType"],
        "os_state": properties["osState"],
        "hyper_v_generation": properties.get("hyperVGeneration") or "V1",
        "architecture": properties.get("architecture") or "x64",
        **properties["identifier"],
        "features": {item["name"]: item["value"] for item in properties.get("features") or ()},
        "plan": properties.get("purchasePlan") or None,
    }


def differences(definition: Resource, wanted: Mapping[str, Any]) -> list[str]:
    """What a definition has otherwise than ``wanted`` (arguments of :func:`ensure`) of what can never be changed, in words."""
    from include.factory.facts import DefinitionFacts

    there = DefinitionFacts.model_validate(facts(definition))
    problem = there.plan_problem(definition["name"], wanted.get("plan"))
    return [*there.differences(wanted), *([problem] if problem else [])]


def _check(definition: Resource, wanted: Mapping[str, Any]) -> None:
    if different := differences(definition, wanted):
        raise StepError(
            "permanent",
            "DefinitionDiffers",
            f"The image definition {definition['id']} exists with {'; '.join(different)}",
            "These properties of a definition can never be changed: correct the recipe, or publish under another definition name.",
        )
