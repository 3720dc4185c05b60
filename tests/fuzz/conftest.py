"""A case that hangs is a case that failed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import FrameType

import pytest

_LONGEST = 180
"""Seconds; the slowest case that is meant to end takes two, and more on a machine that others use too."""


@pytest.fixture(autouse=True)
def ends_in_time() -> Iterator[None]:
    def hangs(number: int, frame: FrameType | None) -> None:
        pytest.fail(f"not done within {_LONGEST} s")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(_LONGEST)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
