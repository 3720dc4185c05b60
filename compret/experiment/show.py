"""How far an experiment is, for people: a live table on a terminal, a line for each event elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from compret.experiment.parts import Part, State
from compret.experiment.records import LOG
from compret.experiment.runner import Board, Row
from compret.tables import plain
from compret.types import printable

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

_STYLES = {"done": "green", "running": "bold cyan", "failed": "bold red"}
_WORDS = {"broken": "missing", "stale": "missing"}
_FIRST = ("running", "failed", "stale", "broken", "missing", "done")
_AROUND = 6
"""Lines of a terminal that are not the table's rows."""
_TAIL = 8000
"""Bytes of a log in which its last lines are."""


class Lines:
    """Each event as a line."""

    def say(self, text: str) -> None:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def draw(self, rows: Sequence[Row]) -> None:
        """Nothing: a file needs no picture."""


class Picture:
    """The table of all parts, drawn anew where it stands; events are lines above it."""

    def __init__(self, live: Live, at_once: int) -> None:
        self.live, self.at_once = live, at_once
        self.drawn: tuple[int, list[State]] | None = None
        """The second and the states that the table shows."""

    def say(self, text: str) -> None:
        self.live.console.print(text, markup=False, highlight=False)

    def draw(self, rows: Sequence[Row]) -> None:
        from rich.console import Group

        if self.drawn == (drawn := (int(time.monotonic()), [row.state for row in rows])):
            return
        self.drawn = drawn
        table = _table(rows, self.live.console.height - _AROUND)
        self.live.update(Group(table, f"\n{summary(rows, self.at_once)}"))


@contextmanager
def board(at_once: int) -> Iterator[Board]:
    """What suits stdout."""
    if not sys.stdout.isatty():
        yield Lines()
        return
    from rich.live import Live

    with Live(refresh_per_second=2) as live:
        yield Picture(live, at_once)


def _table(rows: Sequence[Row], room: int) -> Table:
    """As many rows as there is room for: those first of which there is something to see."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    shown = rows if len(rows) <= room else sorted(rows, key=lambda row: _FIRST.index(row.state))[: max(1, room)]
    table = Table(box=SIMPLE_HEAD, show_edge=False)
    for heading in ("run", "", "state", "time", ""):
        table.add_column(heading, justify="right" if heading == "time" else "left", no_wrap=True, overflow="ellipsis")
    for row in shown:
        table.add_row(*cells(row), style=_STYLES.get(row.state))
    return table


def cells(row: Row) -> tuple[str, ...]:
    seconds = time.monotonic() - row.began if row.began else row.seconds
    state = _WORDS.get(row.state, row.state)
    note = row.note or (_last_lines(row.part, 1) or [""])[0] if row.state == "running" else row.note
    return row.part.run.name, row.part.command, state, duration(seconds) if seconds else "", note


def listing(rows: Sequence[Row]) -> str:
    """All rows as plain columns."""
    return plain(("run", "", "state", "time", ""), [cells(row) for row in rows])


def summary(rows: Sequence[Row], at_once: int = 1) -> str:
    """`4 done, 1 running, 3 missing; about 12 min left`."""
    counts = Counter(_WORDS.get(row.state, row.state) for row in rows)
    told = ", ".join(f"{counts[state]} {state}" for state in ("done", "running", "failed", "missing") if counts[state])
    left = time_left(rows, at_once)
    return told if left is None else f"{told}; about {duration(left)} left"


def time_left(rows: Sequence[Row], at_once: int) -> float | None:
    """Seconds, as those that are done of the same command took; None where none is, or nothing is left."""
    took: dict[str, list[float]] = {}
    for row in rows:
        if row.state == "done":
            took.setdefault(row.part.command, []).append(row.seconds)
    todo = [row for row in rows if row.state not in ("done", "failed")]
    if not todo or any(row.part.command not in took for row in todo):
        return None
    means = {command: sum(seconds) / len(seconds) for command, seconds in took.items()}
    spent = {id(row): time.monotonic() - row.began if row.began else 0.0 for row in todo}
    return sum(max(0.0, means[row.part.command] - spent[id(row)]) for row in todo) / max(1, min(at_once, len(todo)))


def duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def tail(row: Row, lines: int = 10) -> Iterator[str]:
    """The last lines that a part's log has, behind its path."""
    yield f"\n{row.part.name} failed: {row.part.folder / LOG}\n"
    yield from (f"  {line}\n" for line in _last_lines(row.part, lines))


def _last_lines(part: Part, number: int) -> list[str]:
    """Of its log, as a terminal can show them."""
    try:
        with (part.folder / LOG).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - _TAIL))
            text = log.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [printable(line) for line in text.splitlines()[-number:]]
