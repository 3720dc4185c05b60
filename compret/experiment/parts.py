"""The parts of an experiment, each one command of one run: its words, its folders, its key and its state on disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from compret.config_files import GivenFirst
from compret.experiment.keys import Key, code_key, config_key, data_key, needs_key
from compret.experiment.matrix import Experiment, Run, Step
from compret.experiment.records import Record, is_locked, read_record
from compret.precheck import check_inputs, check_options
from compret.types import UserError

VERSIONS = {"fit": "fit", "test": "version_0"}
"""Command -> its folder in logs/EXPERIMENT/RUN and checkpoints/EXPERIMENT/RUN: results stand in version_0."""
_WRITES = {"fit": None, "test": "results.json"}
State = Literal["done", "running", "failed", "broken", "stale", "missing"]
"""broken: it began and was killed; stale: it is there with another key; both count as missing."""


@dataclass(frozen=True)
class Part:
    """One command of one run."""

    run: Run
    step: Step
    experiment: str
    root: Path
    before: tuple[Part, ...] = field(default=())
    """What must be done first: the run's own fit, or the fit of a run that it needs."""

    @property
    def name(self) -> str:
        return f"{self.run.name} {self.step.command}"

    @property
    def command(self) -> str:
        return self.step.command

    @property
    def writes(self) -> str | None:
        return _WRITES[self.command]

    @property
    def folder(self) -> Path:
        """That of its logs."""
        return self._in("logs")

    @property
    def checkpoints(self) -> Path:
        return self._in("checkpoints")

    def _in(self, room: str) -> Path:
        return self.root / room / self.experiment / self.run.name / VERSIONS[self.command]

    def words(self, checkpoint: Path | None = None) -> tuple[str, ...]:
        """The command, such as it is typed behind `compret`.

        Args:
            checkpoint: the one that a fit goes on from.
        """
        options = {key: self._placed(value) for key, value in self._options().items()}
        if checkpoint is not None:
            options["ckpt_path"] = str(checkpoint)
        own = {"name": f"{self.experiment}/{self.run.name}", "trainer.default_root_dir": str(self.root)}
        typed = (f"--{name}={_text(value)}" for name, value in {**options, **own}.items())
        return (self.command, *(word for config in self.step.configs for word in ("--config", config)), *typed)

    def _options(self) -> Mapping[str, Any]:
        """The step's, and the run's own checkpoint where it is tested and nothing else is said."""
        own = self.command == "test" and "fit" in self.run.steps and "ckpt_path" not in self.step.options
        return {**self.step.options, **({"ckpt_path": "{fit}/last.ckpt"} if own else {})}

    def _placed(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        places = {"fit": self.run.name, "needs": self.run.needs}
        for place, run in places.items():
            if f"{{{place}}}" in value and run is None:
                raise UserError(f"run '{self.run.name}': {{{place}}}, and it needs no run; give 'needs'")
            folder = self.root / "checkpoints" / self.experiment / str(run) / VERSIONS["fit"]
            value = value.replace(f"{{{place}}}", str(folder))
        return value

    @cached_property
    def given(self) -> GivenFirst:
        """The command line with the places as they are named, so that no folder is part of what it says."""
        typed = [f"--{name}={_text(value)}" for name, value in self._options().items()]
        configs = [word for config in self.step.configs for word in ("--config", config)]
        return GivenFirst([self.command, *configs, *typed], ("ckpt_path",))

    @cached_property
    def key(self) -> Key:
        key = {"config": config_key(self.given), "code": code_key(), "data": data_key(self.given)}
        return {**key, **{f"needs {p.name}": needs_key(p.key) for p in self.before}}

    def check(self) -> None:
        """Tell mistakes of configs, options and files before anything runs.

        Raises:
            UserError: the first one.
        """
        try:
            check_options(self.given, self.command)
            check_inputs(self.given)
        except UserError as error:
            raise UserError(f"run '{self.run.name}': {self.command}: {error}") from error

    def state(self, reuse: bool = False) -> tuple[State, Record | None]:
        """What the disk says of it.

        Args:
            reuse: what is done counts, whatever key it was done with.
        """
        record = read_record(self.folder)
        if record is None:
            return "missing", None
        if record.state == "running" and is_locked(self.folder.parent):
            return "running", record
        if record.key != self.key and not (reuse and record.state == "done"):
            return "stale", record
        return ("broken" if record.state == "running" else record.state), record

    def differs(self, record: Record) -> str:
        """What of its key is another than a record's."""
        return ", ".join(
            sorted(name for name in {*record.key, *self.key} if record.key.get(name) != self.key.get(name))
        )

    def last(self) -> Path | None:
        """The checkpoint that a broken fit goes on from."""
        path = self.checkpoints / "last.ckpt"
        return path if self.command == "fit" and path.exists() else None

    def set_aside(self) -> Path:
        """Move what is stale out of the experiment's folders, to EXPERIMENT.stale beside them."""
        number = 0
        while any((aside := self._aside(room, number)).exists() for room in ("checkpoints", "logs")):
            number += 1
        for room in ("checkpoints", "logs"):  # the record last: until then the rest is asked for again
            aside = self._aside(room, number)
            if self._in(room).exists():
                aside.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(self._in(room), aside)
        return aside

    def _aside(self, room: str, number: int) -> Path:
        return self.root / room / f"{self.experiment}.stale" / f"{self.run.name}.{number}" / VERSIONS[self.command]


def parts_of(experiment: Experiment, root: Path) -> list[Part]:
    """All parts, each behind those that it builds on."""
    fits: dict[str, Part] = {}
    parts: list[Part] = []
    for run in experiment.runs:
        needed = (fits[run.needs],) if run.needs else ()
        for step in run.steps.values():
            own = (fits[run.name],) if step.command == "test" and run.name in fits else ()
            part = Part(run, step, experiment.name, root, own or needed)
            if step.command == "fit":
                fits[run.name] = part
            parts.append(part)
    return parts


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
