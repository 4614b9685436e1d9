"""Each test of the steps begins with a process that has seen no operation yet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from include.steps import polling


@pytest.fixture(autouse=True)
def no_durations_learnt() -> Iterator[None]:
    polling.DURATIONS._seen.clear()
    yield
    polling.DURATIONS._seen.clear()
