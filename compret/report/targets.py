"""What a number is measured on, and how: numbers stand side by side where these are equal (law 12)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from compret.report.collect import Found, columns_of
from compret.results_file import ResultsFile

Place: TypeAlias = tuple[str, str, tuple[str, ...]]
"""Kind, set and part: where results.json has numbers."""


@dataclass(frozen=True)
class Target:
    """A set, or a part of it, under conditions."""

    kind: str
    name: str
    part: tuple[str, ...]
    """Within the set's numbers: nothing, ("recall_stage",) or ("categories", NAME)."""
    fingerprint: str
    conditions: tuple[tuple[str, str], ...]
    """Fact -> value: max_length, and what the kind's columns name."""
    suite: str = ""
    """Under whose name means over sets are taken."""

    @property
    def place(self) -> Place:
        return self.kind, self.name, self.part

    @property
    def category(self) -> str | None:
        return self.part[1] if self.part[:1] == ("categories",) else None

    @property
    def label(self) -> str:
        return ": ".join([self.name, *self.part[-1:]])

    def differences(self, other: Target) -> str:
        """What forbids to compare numbers of this with those of the other."""
        mine, theirs = dict(self.conditions), dict(other.conditions)
        said = ["other data"] if self.fingerprint != other.fingerprint else []
        said += [f"{k} {mine.get(k)}, not {theirs.get(k)}" for k in {**mine, **theirs} if mine.get(k) != theirs.get(k)]
        return "; ".join(said)


def targets_of(run: Found) -> Iterator[Target]:
    """All that a run has numbers of."""
    for file in run.files:
        for kind, sets in file.kinds.items():
            for name, entry in sets.items():
                for part in _parts(entry):
                    yield _target(file, kind, name, part)


def value_of(run: Found, target: Target, metric: str) -> float | None:
    """A run's number; None where it is not defined, or not there."""
    entry: Any = run.entry(target.kind, target.name)
    for key in (*target.part, metric):
        entry = entry.get(key) if isinstance(entry, Mapping) else None
    return float(entry) if isinstance(entry, int | float) else None


def _parts(entry: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    yield ()
    if isinstance(entry.get("recall_stage"), Mapping):
        yield ("recall_stage",)
    categories = entry.get("categories")
    if isinstance(categories, Mapping):
        yield from (("categories", name) for name in categories)


def _target(file: ResultsFile, kind: str, name: str, part: tuple[str, ...]) -> Target:
    about, meta = file.about(name), file.meta
    same = [fact for column in columns_of(file) if column["kind"] == kind for fact in column["same"]]
    conditions = {"max_length": str(meta.get("max_length"))}
    conditions |= {fact: str(about.get(fact, meta.get(fact))) for fact in same}
    return Target(kind, name, part, about["fingerprint"], tuple(conditions.items()), about.get("suite", ""))
