"""A process that is killed at each of its calls, one after the other, and what is left to whoever does the work again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.steps.build_line import Killed, Line


async def killed_at_each_call(before: Line, act: Callable[[Line], Awaitable[Any]], mode: str, portrait: Callable[[Line], Any]) -> int:
    """Do the work in a copy of the world, killed at its first call, and again; in another copy, killed at its second; and so on until it is
    through without dying. Every world must end as one in which nothing was killed. Returns at how many calls it was killed.

    :param mode: as :class:`tests.steps.build_line.MortalTransport` dies.
    :param portrait: what two worlds must agree on.
    """
    good = before.copy()
    await act(good)
    expected = portrait(good)
    at = 0
    while True:
        at += 1
        world = before.copy()
        world.transport.arm(at, mode)
        try:
            await act(world)
        except (Killed, BaseExceptionGroup):
            world.transport.arm(0, mode)
        else:
            return at - 1
        await act(world)
        assert portrait(world) == expected, f"killed {mode} call {at}"
