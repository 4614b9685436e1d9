"""The clients of what a recipe says is elsewhere: in another subscription, or behind another Airflow connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from include.steps.azure import Azure
from include.steps.errors import StepError

Connect = Callable[[str], Awaitable[Azure]]
"""The clients of an Airflow connection."""


async def connected(azure: Azure, subscription: str | None, connection: str | None, connect: Connect | None) -> Azure:
    """The clients of a recipe's second gallery.

    :raises StepError: ``NoConnections``: a connection is named, and nothing here can open one.
    """
    if connection is not None:
        if connect is None:
            raise StepError(
                "permanent", "NoConnections", f"The connection {connection!r} cannot be reached from here", "Run it as an Airflow task."
            )
        azure = await connect(connection)
    return azure.in_subscription(subscription)
