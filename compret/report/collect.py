"""The runs of an experiment's folder, grouped into systems: runs that differ by their seed alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compret.files import Settings
from compret.results_file import ResultsFile, read_results_file
from compret.run_names import find_results, run_name
from compret.types import UserError, printable

_RECORD = "run.json"


@dataclass(frozen=True, eq=False)
class Found:
    """A run with results: one test run, or several of one model that were joined."""

    name: str
    system: str
    """The name without the seed."""
    seed: int | None
    files: tuple[ResultsFile, ...]
    command: str | None
    """What made it, where compret experiment has written it down."""

    @property
    def folder(self) -> Path:
        return self.files[0].path.parent

    @property
    def meta(self) -> Mapping[str, Any]:
        return self.files[0].meta

    def entry(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """A set's numbers; None if the run has not been asked it."""
        return next((file.kinds[kind][name] for file in self.files if name in file.kinds.get(kind, {})), None)

    def file_of(self, kind: str, name: str) -> ResultsFile | None:
        return next((file for file in self.files if name in file.kinds.get(kind, {})), None)


@dataclass(frozen=True, eq=False)
class System:
    """What is compared: a recipe, trained once for each seed."""

    name: str
    runs: tuple[Found, ...]

    @property
    def seeds(self) -> tuple[int | None, ...]:
        return tuple(run.seed for run in self.runs)

    @property
    def meta(self) -> Mapping[str, Any]:
        return self.runs[0].meta


@dataclass(frozen=True)
class Collection:
    """The systems of a report, and what was left out of it."""

    systems: tuple[System, ...]
    notes: tuple[str, ...]
    skipped: int
    """Runs that were left out."""

    @property
    def runs(self) -> list[Found]:
        return [run for system in self.systems for run in system.runs]


def collect(given: Sequence[str]) -> Collection:
    """Find the runs of folders, each `[NAME=]PATH[,PATH]` of one run or a folder of many.

    What cannot be read is skipped, and told; so is the older of two runs of one system and seed.

    Raises:
        UserError: no run is left.
    """
    found: list[Found] = []
    notes: list[str] = []
    empty: list[str] = []
    for text in given:
        for name, paths in _places(text, empty):
            try:
                found.append(_read(name, paths))
            except UserError as error:
                notes.append(f"skipped: {error}")
    kept = _newest(found, notes)
    skipped = len(notes) + len(empty)
    if empty:
        notes.append(f"{len(empty)} without results: {', '.join(empty[:5])}{' and others' if len(empty) > 5 else ''}")
    if not kept:
        raise UserError(f"{', '.join(given)}: no run with results.json; compret test writes them. {' '.join(notes)}")
    systems: dict[str, list[Found]] = {}
    for run in kept:
        systems.setdefault(run.system, []).append(run)
    ordered = tuple(System(name, tuple(sorted(runs, key=_by_seed))) for name, runs in systems.items())
    return Collection(ordered, tuple(notes), skipped)


def columns_of(file: ResultsFile) -> list[Mapping[str, Any]]:
    """The columns that a results.json names for its kinds.

    Raises:
        UserError: it names none, or not as compret writes them.
    """
    columns = file.meta.get("columns")
    if not isinstance(columns, list):
        raise UserError(f"{file.path}: names no columns, as an older compret wrote it; run compret test again")
    for column in columns:
        texts = isinstance(column, Mapping) and all(isinstance(column.get(k), str) for k in ("kind", "title", "metric"))
        if not texts or not isinstance(column.get("same"), list):
            raise UserError(f"{file.path}: 'columns': each needs kind, title, metric and same")
    return columns


def is_folder_of_runs(path: Path) -> bool:
    """Whether a path is an experiment's folder and not a run's."""
    with suppress(OSError):
        return path.is_dir() and find_results(path) == path and not (path / "results.json").is_file()
    return False


def _places(text: str, empty: list[str]) -> Iterator[tuple[str, list[Path]]]:
    """Name and folders of each run that a text means; those without results go to `empty`."""
    name, _, given = text.rpartition("=")
    paths = [Path(part) for part in given.split(",")]
    if len(paths) > 1 or not is_folder_of_runs(paths[0]):
        yield name or run_name(find_results(paths[0])), [find_results(path) for path in paths]
        return
    root = paths[0]
    for folder in _folders(root):
        if (folder / "results.json").is_file():
            # as `run_name`, and the folders between
            between = folder.relative_to(root).parts[:-1] if folder.name.startswith("version_") else ()
            yield "/".join(between) or run_name(folder), [folder]
        else:
            empty.append(str(folder.relative_to(root)))


def _folders(root: Path) -> Iterator[Path]:
    """Folders of runs, in order: they have results or a config, and nothing below them is looked at."""
    for place, inner, files in os.walk(root):
        inner.sort()
        if {"results.json", "config.yaml", _RECORD} & {*files} and Path(place) != root:
            inner.clear()
            yield Path(place)


def _read(name: str, paths: Sequence[Path]) -> Found:
    files = tuple(read_results_file(path) for path in paths)
    for file in files:
        columns_of(file)
    seed = files[0].meta.get("seed")
    seed = seed if isinstance(seed, int) else None
    record = _record(paths[0])
    if record.get("state", "done") != "done":
        raise UserError(f"{paths[0]}: the run is not done ({record['state']}); run compret experiment again")
    system = record.get("system") or without_seed(name, seed)
    command = record.get("command")
    shown = " ".join(map(str, command)) if isinstance(command, list) else None
    return Found(printable(name), printable(str(system)), seed, files, shown)


def _record(path: Path) -> Mapping[str, Any]:
    """What compret experiment says of a run, if it made it."""
    with suppress(UserError, OSError):
        return Settings.of(path / _RECORD).content  # type: ignore[no-any-return]
    return {}


def without_seed(name: str, seed: int | None) -> str:
    """A run's name without its seed: structneg-42, seed_42/structneg and structneg_seed42 become structneg."""
    if seed is None:
        return name
    shorter = re.sub(rf"(^|[-_/.])(seed[-_=]?|s)?{seed}(?=$|[-_/.])", "", name).strip("-_/.")
    return shorter or name


def _newest(found: Sequence[Found], notes: list[str]) -> list[Found]:
    """One run for each system and seed; the one written last."""
    kept: dict[tuple[str, int | None], Found] = {}
    for run in found:
        before = kept.get((run.system, run.seed))
        if before is None:
            kept[run.system, run.seed] = run
            continue
        newer, older = (run, before) if _written(run) >= _written(before) else (before, run)
        kept[run.system, run.seed] = newer
        seed = "" if run.seed is None else f" with seed {run.seed}"
        notes.append(f"skipped: {older.folder}: {run.system}{seed} stands there twice; {newer.folder} is newer")
    return list(kept.values())


def _written(run: Found) -> int:
    return run.files[0].path.stat().st_mtime_ns


def _by_seed(run: Found) -> tuple[bool, int]:
    return run.seed is None, run.seed or 0
