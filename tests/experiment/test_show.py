"""What people see of an experiment: counts, the time that is left, a table that fits the terminal."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from compret.experiment.matrix import expand
from compret.experiment.parts import parts_of
from compret.experiment.runner import Row
from compret.experiment.show import _table, listing, summary, time_left


@pytest.fixture
def rows() -> list[Row]:
    content: dict[str, Any] = {"name": "mine", "matrix": {"axes": {"seed": [*range(30)]}, "fit": {}, "test": {}}}
    return [Row(part, "missing") for part in parts_of(expand(content, "m"), Path())]


def test_counts_and_time_left(rows: list[Row]) -> None:
    """A fit takes 100 s and a test 20 s: 28 are left of each, and one of a fit that runs since 40 s."""
    assert time_left(rows, 1) is None
    rows[0].state, rows[0].seconds = "done", 100.0
    rows[1].state, rows[1].seconds = "done", 20.0
    rows[2].state, rows[2].began = "running", time.monotonic() - 40
    rows[5].state, rows[7].state = "failed", "stale"
    assert time_left(rows, 1) == pytest.approx(29 * 100 - 40 + 28 * 20, abs=1)
    assert time_left(rows, 4) == pytest.approx((29 * 100 - 40 + 28 * 20) / 4, abs=1)
    assert summary(rows, 4) == "2 done, 1 running, 1 failed, 56 missing; about 14 min left"


def test_a_table_fits_its_terminal_and_shows_what_there_is_to_see(rows: list[Row]) -> None:
    rows[40].state, rows[41].state, rows[0].state = "running", "failed", "done"
    console = Console(file=io.StringIO(), width=60)
    console.print(_table(rows, 10))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 12
    assert [line.split()[2] for line in lines if line.split()[:1] in (["20"],)] == ["running", "failed"]


def test_a_listing_has_all(rows: list[Row]) -> None:
    assert len(listing(rows).splitlines()) == 61
