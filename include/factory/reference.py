"""The tables of docs/recipe.md: every field of a recipe, from the models themselves.

A table stands between ``<!-- Model -->`` and the next ``<!-- end -->`` of the document.
"""

from __future__ import annotations

import re
from typing import Any

from pydantic import BaseModel

from include.factory.base import GalleryBase, ManagedImageBase, MarketplaceBase, RecipeBase, SnapshotBase
from include.factory.diagnosis import FILLED_IN
from include.factory.disaster_recovery import DisasterRecovery
from include.factory.field_text import field_texts
from include.factory.machine import BuildMachine, DataDisk, OsDisk
from include.factory.notice import Notify
from include.factory.publish import Approval, Publish, Range, Recommended, Replicate, Retention, Safety, TargetRegion
from include.factory.recipe import OperatingSystem, Recipe
from include.factory.schedule import BuildSchedule
from include.factory.script import BootTest, Step
from include.factory.share import Community, Reader, Share

MODELS: dict[str, type[BaseModel]] = {
    model.__name__: model
    for model in (
        *(Recipe, BuildSchedule, OperatingSystem, MarketplaceBase, RecipeBase, GalleryBase, ManagedImageBase, SnapshotBase),
        *(BuildMachine, OsDisk, DataDisk, Step, BootTest, Publish, Safety, Recommended, Range),
        *(Replicate, TargetRegion, Approval, Retention, DisasterRecovery, Share, Reader, Community, Notify),
    )
}
_TABLE = re.compile(r"<!-- (\w+) -->\n.*?<!-- end -->", re.DOTALL)


def with_tables(document: str) -> str:
    """`document` with each of its tables made anew.

    :raises KeyError: it has a table of a model that is none of a recipe's.
    """
    return _TABLE.sub(lambda found: f"<!-- {found[1]} -->\n{_table(MODELS[found[1]])}<!-- end -->", document)


def _table(model: type[BaseModel]) -> str:
    rows = ["| field | default | what it says |", "| --- | --- | --- |"]
    for name, field in model.model_fields.items():
        if name not in FILLED_IN:
            default = (
                "required"
                if field.is_required() and (model, name) != (Step, "name")
                else _default(field.get_default(call_default_factory=True))
            )
            description = " ".join(field_texts(model).get(name, "").split())  # a row is one line
            rows.append(f"| `{name}` | {default} | {description} |")
    return "\n".join(rows) + "\n"


def _default(value: Any) -> str:
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value == (0,):
        return "`[0]`"
    if value in (None, (), {}, "") or not isinstance(value, int | str):
        return ""
    return f"`{value}`"
