"""The loop that starts what is missing and can run, waits, and ends what it started when it is told to end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from compret.experiment.executors import Executor, Running
from compret.experiment.parts import Part, State
from compret.experiment.records import LOG, Record
from compret.experiment.work import Job

_PATIENCE = 15.0
"""Seconds that parts have to save and end."""


@dataclass
class Row:
    """How far a part is."""

    part: Part
    state: State
    note: str = ""
    seconds: float = 0.0
    """That it took."""
    began: float = 0.0
    """When it did, if it is running: of the monotonic clock."""


class Board(Protocol):
    """Shows rows."""

    def say(self, text: str) -> None:
        """Write a line of what has happened."""

    def draw(self, rows: Sequence[Row]) -> None:
        """Show where all parts are."""


class Runner:
    """Runs the parts of an experiment that are not done.

    Args:
        program: what stands before the words of a command, such as `python -m compret`.
        reuse: what is done counts, whatever key it was done with.
        poll: seconds between two looks at what is running.
    """

    def __init__(
        self,
        parts: Iterable[Part],
        executor: Executor,
        program: Sequence[str],
        board: Board,
        reuse: bool = False,
        poll: float = 0.1,
    ) -> None:
        self.executor, self.program, self.board, self.reuse, self.poll = executor, tuple(program), board, reuse, poll
        self.rows = [look(part, reuse) for part in parts]
        self.by_part = {(row.part.run.name, row.part.command): row for row in self.rows}
        self.active: dict[int, Running] = {}
        """Place of a row -> what runs it."""
        self.left: set[int] = set()
        """Places of those that an earlier start has begun."""
        self.failed: list[Row] = []

    def run(self) -> None:
        """Run until nothing more can; `rows` and `failed` say how it went. What runs is ended where this is."""
        try:
            self._find_left()
            while True:
                self._settle()
                self._begin()
                self.board.draw(self.rows)
                if not self.active:
                    return
                time.sleep(self.poll)
        finally:
            if self.active:
                self._end()

    def _find_left(self) -> None:
        for place, row in enumerate(self.rows):
            left = None if row.state == "done" else self.executor.left_running(row.part.folder)
            if left is not None:
                self.board.say(f"{row.part.name}: still at work since an earlier start; waiting for it")
                self.active[place], row.state, row.began = left, "running", time.monotonic()
                self.left.add(place)

    def _settle(self) -> None:
        """Read how those ended that have."""
        for place in [place for place, running in self.active.items() if running.is_over()]:
            del self.active[place]
            row = self.rows[place] = look(self.rows[place].part, self.reuse)
            self.by_part[row.part.run.name, row.part.command] = row
            if row.state == "done":
                self.board.say(f"{row.part.name}: done in {row.seconds:.0f} s")
            elif place not in self.left:
                row.state = "failed"
                self.failed.append(row)
                self.board.say(f"{row.part.name}: failed ({row.note}); {row.part.folder / LOG}")
            self.left.discard(place)

    def _begin(self) -> None:
        for place, row in enumerate(self.rows):
            if len(self.active) >= self.executor.at_once:
                return
            if row.state not in ("done", "running") and row not in self.failed and self._is_ready(row.part):
                self._start(place, row)

    def _is_ready(self, part: Part) -> bool:
        return all(self._row(before).state == "done" for before in part.before)

    def _row(self, part: Part) -> Row:
        return self.by_part[part.run.name, part.command]

    def _start(self, place: int, row: Row) -> None:
        part, how = row.part, ""
        if row.state == "stale":
            how = f", anew: {row.note}; what was there is now in {part.set_aside()}"
        checkpoint = part.last()
        if checkpoint is not None:
            how = f", from {checkpoint}"
        self.board.say(f"{part.name}: begins{how}")
        run = part.run
        record = Record("running", part.experiment, run.name, run.system, run.axes, part.words(checkpoint), part.key, 0)
        job = Job(str(part.folder), record, self.program, checkpoint is not None, part.writes)
        self.active[place] = self.executor.start(job)
        row.state, row.note, row.began = "running", "", time.monotonic()

    def _end(self) -> None:
        """Tell what would not live on to save and end, and wait for a while."""
        ended = [running for running in self.active.values() if not running.lives_on]
        for running in ended:
            running.end()
        until = time.monotonic() + _PATIENCE
        try:
            while time.monotonic() < until and not all(running.is_over() for running in ended):
                time.sleep(self.poll)
        finally:
            for running in ended:
                if not running.is_over():
                    running.kill()
            lives_on = [place for place, running in self.active.items() if running.lives_on]
            self.rows = [row if i in lives_on else look(row.part, self.reuse) for i, row in enumerate(self.rows)]


def look(part: Part, reuse: bool = False) -> Row:
    """A part as the disk has it."""
    state, record = part.state(reuse)
    if record is None:
        return Row(part, state)
    told = {
        "done": f"with another {part.differs(record)}, taken as it is" if record.key != part.key else "",
        "stale": f"another {part.differs(record)}",
        "broken": "was killed" + (", goes on from last.ckpt" if part.last() else ""),
        "failed": f"exit code {record.exit}",
        "running": "since an earlier start",
    }
    return Row(part, state, told.get(state, ""), record.seconds)
