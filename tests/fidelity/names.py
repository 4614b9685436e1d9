"""What the server chose in the recording (disk names, GUIDs, marketplace versions, URLs), and what the sandbox chose instead."""

from __future__ import annotations

import re
from typing import Any

from .shape import pairs

NAMES = frozenset({"name", "uniqueName", "publicNames"})
GUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", re.IGNORECASE)


class Names:
    """From a recording's names to the sandbox's. What the client itself sent is never mapped."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._sent: set[str] = set()

    def sent(self, value: Any) -> None:
        """Remember what the client sent: every string of a body, every segment of an id or path."""
        if isinstance(value, str):
            self._sent.update(part.lower() for part in (value.split("/") if value.startswith("/") else [value]))
        elif isinstance(value, dict):
            for key, below in value.items():
                self.sent(key)
                self.sent(below)
        elif isinstance(value, list):
            for below in value:
                self.sent(below)

    def place(self, was: str, now: str) -> None:
        """What the client names `was` is there under another name: the replay itself put it there."""
        self._known[was.lower()] = now

    def learn(self, recorded: Any, answered: Any, key: str = "") -> None:
        """Compare an answer with the recorded one, and remember where their names differ."""
        if isinstance(recorded, dict) and isinstance(answered, dict):
            for name, value in recorded.items():
                if name in answered:
                    self.learn(value, answered[name], name)
        elif isinstance(recorded, list) and isinstance(answered, list):
            for one, other in pairs(recorded, answered, self.same)[0]:
                self.learn(one, other, key)
        elif isinstance(recorded, str) and isinstance(answered, str) and recorded.lower() != answered.lower():
            self._learn_text(recorded, answered, key)

    def _learn_text(self, recorded: str, answered: str, key: str) -> None:
        if recorded.startswith("/") and answered.startswith("/"):
            one, other = recorded.split("/"), answered.split("/")
            if [part.lower() for part in one[1::2]] == [part.lower() for part in other[1::2]]:
                for was, now in zip(one[2::2], other[2::2], strict=True):
                    self._map(was, now)
        elif recorded.startswith("https://") and answered.startswith("https://"):
            self._map(recorded, answered)
            self._map(recorded.split("?")[0], answered.split("?")[0])
        elif key in NAMES or (GUID.match(recorded) and GUID.match(answered)):
            self._map(recorded, answered)
            if key == "uniqueName":  # begins with the subscription's true id, which recorders left there alone
                self._map(recorded[:36], answered[:36])

    def _map(self, was: str, now: str) -> None:
        if was.lower() != now.lower() and was.lower() not in self._sent:
            self._known[was.lower()] = now

    def translate(self, value: Any) -> Any:
        """A recorded path or body in the sandbox's names."""
        if isinstance(value, str):
            whole = self._known.get(value.lower())
            if whole is not None:
                return whole
            return "/".join(self._known.get(part.lower(), part) for part in value.split("/")) if value.startswith("/") else value
        if isinstance(value, dict):
            return {self.translate(key) if key.startswith("/") else key: self.translate(below) for key, below in value.items()}
        if isinstance(value, list):
            return [self.translate(below) for below in value]
        return value

    def same(self, recorded: str, answered: str) -> bool:
        """Whether a recorded name or id and the sandbox's are the same one."""
        first, _, rest = recorded.partition(" ")
        if rest:
            recorded = f"{first} {self.translate(rest)}"
        return recorded.lower() == answered.lower()
