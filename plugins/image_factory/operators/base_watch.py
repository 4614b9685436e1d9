"""Newer base images, and whom they start."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, AssetAlias, BaseOperator

from image_factory.assets import GROUP
from image_factory.operators.step import StepOperator

NEWER_BASES = AssetAlias("newer-bases", group=GROUP)


class WatchBaseImagesOperator(StepOperator):
    """Find the recipes whose base has a newer version than their image was built from; skipped when there are none.

    Fields and result: :func:`include.steps.base_watch.look`.
    """

    step = "base_watch.look"
    required = ("recipes",)


class AnnounceBaseImagesOperator(BaseOperator):
    """Emit an asset event for each newer base, once for each of its versions; the builds that wait for it are scheduled by it.

    It runs in a worker, for a second: tasks that end in the triggerer emit no asset events. The event's extra: ``id``, ``version``,
    ``built_from``.

    :param assets: by the name of the recipe, its base as an asset.
    :param found_by: task id of the :class:`WatchBaseImagesOperator`.
    """

    ui_color = "#e8f1fb"

    def __init__(self, *, assets: dict[str, Asset], found_by: str, **kwargs: Any) -> None:
        # By an alias, because which of the assets have an event is known only when the bases have been read.
        super().__init__(outlets=[NEWER_BASES], inlets=list(assets.values()), **kwargs)
        self.assets = assets
        self.found_by = found_by

    def execute(self, context: Any) -> list[str]:
        newer = context["ti"].xcom_pull(task_ids=self.found_by)["newer"]
        announced = []
        for recipe, base in newer.items():
            asset = self.assets[recipe]
            told = context["inlet_events"][asset]
            if len(told) and told[-1].extra.get("id") == base["id"]:
                self.log.info("%s: %s was announced at %s already.", recipe, base["id"], told[-1].timestamp)
                continue
            self.log.info("%s: %s is newer than %s.", recipe, base["id"], base["built_from"])
            context["outlet_events"][NEWER_BASES].add(asset, extra=base)
            announced.append(recipe)
        return announced
