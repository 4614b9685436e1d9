"""A version's validationsProfile: which platform image it descends from, and for Trusted Launch whether it was seen to boot.

Source: compute-gallery-whats-new.md and azure-compute-gallery.md: the validation is asynchronous and takes at least an hour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..store import Resource
from ..wire import Json, moment, stamp
from .definitions import security_type

if TYPE_CHECKING:
    from ..sandbox import Sandbox

SECONDS = 3600.0  # from publishing to the result
NAMES = ("source_image_publisher", "source_image_offer", "source_image_sku", "source_image_version")


def profile(arm: Sandbox, version: Resource) -> Json:
    """What `$expand=ValidationProfile` adds."""
    published = version.properties["publishingProfile"]["publishedDate"]
    made: Json = {"validationEtag": published}
    definition = arm.store.resources.get(version.key.rsplit("/", 2)[0])
    done = moment(published) + SECONDS / arm.speed
    if definition is not None and "trustedlaunch" in security_type(definition.properties, version.name) and arm.now >= done:
        result = {"type": "TrustedLaunch", "status": "Succeeded", "version": "1.0", "executionTime": stamp(done)}
        made["executedValidations"] = [result]
    content = (version.private.get("origin") or version.private["pending"])["content"]
    if content.get("platform"):
        made["platformAttributes"] = [{"name": name, "value": value} for name, value in zip(NAMES, content["platform"], strict=True)]
    return made
