"""Starting the captures that are due."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import DagRunTriggerException

from image_factory.links import TriggeredRunLink


class StartCaptureOperator(BaseOperator):
    """Start a run of ``capture_vm`` under an id of its own; skipped when there is a run of that id.

    As Airflow's ``TriggerDagRunOperator`` does, whose module loads the models of Airflow's database: a third of a second in every process
    that reads the DAG file.

    :param trigger_run_id: id of the run.
    :param conf: what is filled in in its form.
    """

    trigger_dag_id = "capture_vm"
    template_fields: Sequence[str] = ("trigger_run_id", "conf")
    template_fields_renderers: ClassVar[dict[str, str]] = {"conf": "json"}
    operator_extra_links = (TriggeredRunLink(),)
    ui_color = "#ffefeb"

    def __init__(self, *, trigger_run_id: str, conf: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.trigger_run_id = trigger_run_id
        self.conf = conf

    def execute(self, context: Any) -> None:
        raise DagRunTriggerException(
            trigger_dag_id=self.trigger_dag_id,
            dag_run_id=self.trigger_run_id,
            conf=self.conf,
            logical_date=None,  # two machines may be due at the same time
            reset_dag_run=False,
            skip_when_already_exists=True,
            wait_for_completion=False,
            allowed_states=["success"],
            failed_states=["failed"],
            poke_interval=60,
            deferrable=False,
        )
