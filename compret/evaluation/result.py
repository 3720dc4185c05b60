"""What a suite's set gives when a scorer has answered it: its numbers, what they follow from, and both on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from compret.evaluation.scorer import Scorer
from compret.results_file import ResultsFile


class EvaluationSet(Protocol):
    """A dataset with its test: what a suite loads."""

    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str:
        """Hash of all that the numbers follow from."""

    @property
    def origin(self) -> Mapping[str, object]:
        """Maker -> what it made the set from, or hub id -> revision; else empty."""

    def evaluate(self, scorer: Scorer) -> Result:
        """Ask the scorer what the test needs, and measure its answers."""


@dataclass(frozen=True)
class Column:
    """A number of each set of a kind that reports show; the first of a kind is its headline."""

    title: str
    metric: str
    """Its key among a set's metrics; in [0, 1], higher is better."""
    same: tuple[str, ...] = ()
    """Facts of the set or of the run that must be equal where two such numbers are compared."""
    by_query: bool = False
    """Whether per_query/ has the number of each query."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """One set's numbers. A subclass names its kind, `class MyResult(Result, kind="mine")`, and is known by it.

    Those that keep more than numbers add fields, `write` and `read`.
    """

    name: str
    metrics: Mapping[str, Any]
    """Name -> number, or None where it is not defined; parts of such mappings may lie within."""
    fingerprint: str
    """Of the set."""
    score: str
    """The scorer's name; part of the logged names."""
    suite: str = ""
    """Under whose name means over sets are logged and stored; no means are taken if empty."""
    counts: Mapping[str, int]
    """What was measured, and what was done to the texts on the way."""
    seconds: Mapping[str, float]

    kind: ClassVar[str]
    """Where results.json has the metrics."""
    columns: ClassVar[tuple[Column, ...]] = ()
    shown: ClassVar[Mapping[str, str]] = {}
    """Metric -> its words in the log line of a set."""
    kinds: ClassVar[dict[str, type[Result]]] = {}
    """All that are imported."""

    def __init_subclass__(cls, kind: str = "", **options: Any) -> None:
        super().__init_subclass__(**options)
        if kind in ("meta", "timing"):
            raise TypeError(f"results.json has '{kind}' for something else; name the kind another way")
        if kind:
            cls.kind = kind
            Result.kinds[kind] = cls

    @property
    def headline(self) -> float | None:
        """The number that counts when a checkpoint is chosen."""
        return self.metrics[self.columns[0].metric] if self.columns else None

    @property
    def labelled(self) -> tuple[Sequence[float], Sequence[int]]:
        """Scores and labels of pairs, on which a threshold can be calibrated; none unless the set has some."""
        return (), ()

    def about(self) -> dict[str, str]:
        """The set's facts in results.json."""
        named = {"suite": self.suite} if self.suite else {}
        return {**named, "score": self.score, "fingerprint": self.fingerprint}

    def with_baselines(self) -> Self:
        """With what needs no model and takes a while, for tests alone; itself if there is nothing."""
        return self

    def recomputed(self) -> Self:
        """Measured again from what is kept; itself if the metrics are all."""
        return self

    def write(self, folder: Path) -> None:
        """Write what the metrics follow from, beside results.json."""

    @classmethod
    def read(cls, stored: ResultsFile, name: str) -> Self:
        """As it was written.

        Raises:
            UserError: a file is missing or not as compret writes it.
        """
        return cls(**cls.facts(stored, name))

    @classmethod
    def facts(cls, stored: ResultsFile, name: str) -> dict[str, Any]:
        """The fields that results.json holds, by name."""
        about = stored.about(name)
        return {
            "name": name,
            "metrics": stored.kinds[cls.kind][name],
            "fingerprint": about["fingerprint"],
            "score": about["score"],
            "suite": about.get("suite", ""),
            "counts": stored.meta["counts"][name],
            "seconds": stored.timing[name],
        }
