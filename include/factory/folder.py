"""Where the catalogue lies."""

from __future__ import annotations

import os
from pathlib import Path

SHIPPED = Path(__file__).resolve().parents[1] / "recipes"


def catalogue_folder() -> Path:
    """The folder of recipes: ``IMAGE_FACTORY_RECIPES``, or the project's own ``include/recipes``."""
    return Path(os.environ.get("IMAGE_FACTORY_RECIPES") or SHIPPED)
