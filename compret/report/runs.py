"""What a report knows of a run: the headline numbers of its results.json files, and what they were measured on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from compret.results_file import ResultsFile, read_results_file, stem
from compret.run_names import find_results, run_name
from compret.types import printable

COLUMNS = {"retrieval nDCG@10": ("retrieval", "ndcg@10"), "near-miss AUROC": ("near_miss", "auroc")}
_MODEL = ("backbone", "revision", "checkpoint", "verifier", "special_tokens")
"""What makes two test runs those of one model, as results.json has it."""


@dataclass(frozen=True)
class Measured:
    """One number of one set."""

    name: str
    value: float
    fingerprint: str
    conditions: Mapping[str, object]
    """What else must be the same where two such numbers are compared."""
    per_query: Path
    """Where each query's values stand, if the set has queries."""


@dataclass(frozen=True)
class Run:
    """The numbers of a run, for each of COLUMNS; a set counts once, and not where it defines no number."""

    name: str
    columns: tuple[tuple[Measured, ...], ...]
    notes: tuple[str, ...]
    """What was left out, and what does not fit together."""

    @property
    def values(self) -> tuple[float | None, ...]:
        """The mean of each column over its sets, None where there are none."""
        return tuple(_mean([measured.value for measured in column]) for column in self.columns)


def read_run(text: str) -> Run:
    """Read one run's headline numbers from `NAME=PATH,PATH`; if no name is given, it is the run's own.

    A path is a results.json, its folder, or logs/NAME for the newest version there.

    Raises:
        UserError: no results.json there, or it is not one of compret's.
    """
    name, _, given = text.rpartition("=")
    paths = [find_results(Path(part)) for part in given.split(",")]
    stored = [read_results_file(path) for path in paths]
    name, notes = printable(name or run_name(paths[0])), [*_other_models(stored)]
    columns = tuple(_column(stored, title, *place, notes) for title, place in COLUMNS.items())
    return Run(name, columns, tuple(f"{name}: {note}" for note in notes))


def _column(
    stored: Sequence[ResultsFile], title: str, room: str, metric: str, notes: list[str]
) -> tuple[Measured, ...]:
    """The numbers of a room's sets, each set once; what is left out goes to the notes."""
    found: dict[str, Measured] = {}
    for results in stored:
        for name, entry in getattr(results, room).items():
            if entry[metric] is None:
                notes.append(f"{title} is not defined on {name}, which is left out")
                continue
            measured = _measured(results, room, name, float(entry[metric]))
            first = found.setdefault(measured.fingerprint, measured)
            if first is not measured:
                values = f"{first.value:.3f} of {first.name} counts, {measured.value:.3f} of {name} does not"
                notes.append(f"{title}: {results.path} has a set that stands there already: {values}")
    return tuple(found.values())


def _measured(results: ResultsFile, room: str, name: str, value: float) -> Measured:
    about, per_query = results.about(name), results.path.parent / "per_query" / f"{stem(name)}.jsonl"
    conditions = {"max_length": results.meta.get("max_length")}
    if room == "retrieval":
        conditions |= {"search": results.meta.get("search"), "ndcg_gain": about["ndcg_gain"]}
    return Measured(name, value, about["fingerprint"], conditions, per_query)


def _other_models(stored: Sequence[ResultsFile]) -> Iterator[str]:
    """Test runs that are joined should be those of one model."""
    for key in _MODEL:
        values = list(dict.fromkeys(str(results.meta.get(key)) for results in stored))
        if len(values) > 1:
            yield f"joins results of different models: {key} {' and '.join(values)}"


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
