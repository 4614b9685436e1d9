"""A notifier that writes what it is told to a file, as the tests' recipes name it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk.bases.notifier import BaseNotifier


class FileNotifier(BaseNotifier):
    """Append ``message`` to the file at ``path``."""

    template_fields = ("path", "message")

    def __init__(self, path: str, message: str = "{{ notice.event }}: {{ notice.title }}\n{{ notice.text }}\n", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.message = message

    def notify(self, context: Any) -> None:
        with Path(self.path).open("a") as file:
            file.write(self.message)
