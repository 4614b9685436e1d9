"""The digest of what makes an image: recipe and scripts. An equal digest on an equal base gives an equal image."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

from include.factory.recipe import Recipe

# Each field of a recipe is either part of the image (and its tests), or decides only when and where it is built and kept.
IMAGE_FIELDS: dict[str, Any] = {
    "os": True,
    "base": True,
    "build": {"os_disk", "data_disks", "security_type"},
    "steps": True,
    "checks": True,
    "capture": True,
    "boot_test": True,
    "publish": {"features"},
    "scripts": True,
}
OTHER_FIELDS = {
    "name",
    "description",
    "owner",
    "schedule",
    "replicate",
    "approval",
    "retention",
    "disaster_recovery",
    "share",
    "notify",
    "pause_after_failures",
    "tags",
    "parent_image",
}


def digest(recipe: Recipe) -> str:
    """``sha256:<hex>`` of the recipe's image fields and its scripts' contents, whatever the order of keys in the file."""
    content = recipe.model_dump(mode="json", include=IMAGE_FIELDS)
    return f"sha256:{sha256(json.dumps(content, sort_keys=True, separators=(',', ':')).encode()).hexdigest()}"
