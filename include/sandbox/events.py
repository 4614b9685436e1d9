"""What happens when an event is due. Events are data (a name and JSON arguments), so that they survive a restart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

Handler = TypeVar("Handler", bound=Callable[..., Any])

EVENTS: dict[str, Callable[..., Any]] = {}


def event(name: str) -> Callable[[Handler], Handler]:
    """Register `handler(sandbox, **arguments)` for the events called `name`."""

    def register(handler: Handler) -> Handler:
        if name in EVENTS:
            raise ValueError(f"two handlers for the event {name!r}")
        EVENTS[name] = handler
        return handler

    return register
