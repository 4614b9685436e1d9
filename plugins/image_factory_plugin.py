"""The one plugin: the link from a task to what it made in the Azure portal."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin

from image_factory.links import AzurePortalLink


class ImageFactoryPlugin(AirflowPlugin):
    name = "image_factory"
    operator_extra_links = [AzurePortalLink()]  # noqa: RUF012 - the shape that AirflowPlugin declares
