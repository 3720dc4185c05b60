"""What a report knows of a run: the numbers that its results.json files name as columns, and what they measure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from compret.files import Settings
from compret.results_file import ResultsFile, read_results_file, stem
from compret.run_names import find_results, run_name
from compret.types import UserError, printable

_MODEL = ("backbone", "revision", "checkpoint", "verifier", "special_tokens")
"""What makes two test runs those of one model, as results.json has it."""


@dataclass(frozen=True)
class Measured:
    """One number of one set."""

    name: str
    metric: str
    value: float
    fingerprint: str
    conditions: Mapping[str, object]
    """What else must be the same where two such numbers are compared."""
    per_query: Path | None
    """Where each query's values stand, if the set has queries."""


@dataclass(frozen=True)
class Run:
    """The numbers of a run."""

    name: str
    columns: Mapping[str, Sequence[Measured]]
    """Title -> numbers; a set counts once, and not where it defines no number."""
    notes: tuple[str, ...]
    """What was left out, and what does not fit together."""

    @property
    def values(self) -> dict[str, float]:
        """The mean of each column over its sets, where there are some."""
        return {title: sum(m.value for m in column) / len(column) for title, column in self.columns.items() if column}


def read_run(text: str) -> Run:
    """Read one run's numbers from `NAME=PATH,PATH`; if no name is given, it is the run's own.

    A path is a results.json, its folder, or logs/NAME for the newest version there.

    Raises:
        UserError: no results.json there, or it is not one of compret's.
    """
    name, _, given = text.rpartition("=")
    paths = [find_results(Path(part)) for part in given.split(",")]
    stored = [read_results_file(path) for path in paths]
    name, notes = printable(name or run_name(paths[0])), [*_other_models(stored)]
    columns: dict[str, dict[str, Measured]] = {}
    for results in stored:
        for column in _columns(results):
            _add(columns.setdefault(column.text("title"), {}), results, column, notes)
    numbers = {title: tuple(found.values()) for title, found in columns.items()}
    return Run(name, numbers, tuple(f"{name}: {note}" for note in notes))


def titles(runs: Sequence[Run]) -> list[str]:
    """The columns that any of the runs has, in order."""
    return list(dict.fromkeys(title for run in runs for title in run.columns))


def _columns(results: ResultsFile) -> list[Settings]:
    """The columns that a file has numbers for."""
    if "columns" not in results.meta:
        raise UserError(f"{results.path}: names no columns, as an older compret wrote it; run compret test again")
    given = Settings(f"{results.path}: 'meta'", results.meta).get("columns", list, "a list")
    columns = [Settings(f"{results.path}: 'columns'", column) for column in given]
    return [column for column in columns if column.text("kind") in results.kinds]


def _add(found: dict[str, Measured], results: ResultsFile, column: Settings, notes: list[str]) -> None:
    """Add a file's numbers of a column, each set once; what is left out goes to the notes."""
    title = column.text("title")
    for name in results.kinds[column.text("kind")]:
        measured = _measured(results, column, name)
        if measured is None:
            notes.append(f"{title} is not defined on {name}, which is left out")
            continue
        first = found.setdefault(measured.fingerprint, measured)
        if first is not measured:
            values = f"{first.value:.3f} of {first.name} counts, {measured.value:.3f} of {name} does not"
            notes.append(f"{title}: {results.path} has a set that stands there already: {values}")


def _measured(results: ResultsFile, column: Settings, name: str) -> Measured | None:
    """One set's number; None where it is not defined."""
    kind, metric, about = column.text("kind"), column.text("metric"), results.about(name)
    entry = Settings(f"{results.path}: '{kind}': '{name}'", results.kinds[kind][name])
    if metric not in entry.content:
        raise UserError(f"{entry.origin}: '{metric}' is missing")
    value = entry.number(metric, None)
    if value is None:
        return None
    same = {str(fact): about.get(str(fact), results.meta.get(str(fact))) for fact in column.get("same", list, "a list")}
    per_query = results.path.parent / "per_query" / f"{stem(name)}.jsonl" if column.flag("by_query") else None
    conditions = {"max_length": results.meta.get("max_length"), **same}
    return Measured(name, metric, value, about["fingerprint"], conditions, per_query)


def _other_models(stored: Sequence[ResultsFile]) -> Iterator[str]:
    """Test runs that are joined should be those of one model."""
    for key in _MODEL:
        values = list(dict.fromkeys(str(results.meta.get(key)) for results in stored))
        if len(values) > 1:
            yield f"joins results of different models: {key} {' and '.join(values)}"
