"""Telling Airflow, and whoever listens to it, that there is a new version."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, BaseOperator

from image_factory.notices import KEY


class AnnounceImageVersionOperator(BaseOperator):
    """Emit the asset event of a promoted version; recipes built on this image are scheduled by it.

    It runs in a worker, for a second: tasks that end in the triggerer emit no asset events (Airflow 3.3.2, ``handle_event_submit``).

    The event's extra: ``id``, ``version``, ``base`` (``{"id", "version"}``), ``digest``, ``regions`` (names), ``run``.

    :param asset: the image definition as an asset.
    :param planned_by: task id of the plan.
    :param promoted_by: task id whose XCom is ``{"id", "version"}``.
    """

    ui_color = "#e8f1fb"

    def __init__(self, *, asset: Asset, planned_by: str, promoted_by: str, **kwargs: Any) -> None:
        super().__init__(outlets=[asset], **kwargs)
        self.asset = asset
        self.planned_by = planned_by
        self.promoted_by = promoted_by

    def execute(self, context: Any) -> dict[str, Any]:
        plan = context["ti"].xcom_pull(task_ids=self.planned_by)
        promoted = context["ti"].xcom_pull(task_ids=self.promoted_by)
        extra = {
            "id": promoted["id"],
            "version": promoted["version"],
            "base": plan["base"],
            "digest": plan["digest"],
            "regions": [region["name"] for region in plan["regions"]],
            "run": plan["run"],
        }
        context["outlet_events"][self.asset].extra = extra
        context["ti"].xcom_push(KEY, [_notice(plan["recipe"], extra)])
        self.log.info("%s: version %s, latest in %s", self.asset.name, extra["version"], ", ".join(extra["regions"]))
        return extra


def _notice(recipe: str, extra: dict[str, Any]) -> dict[str, Any]:
    where = ", ".join(extra["regions"])
    text = f"{extra['id']}\nBase: {extra['base']['id']}\n`latest` in {where}."
    return {"event": "published", "recipe": recipe, "title": f"{recipe}: version {extra['version']} is published", "text": text}
