"""NevIR: two queries and two documents a pair, each query scored with both documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from compret.evaluation.result import Column, Result
from compret.evaluation.scorer import Scorer
from compret.evaluation.trec import write_json_lines
from compret.files import read_json_lines, reading
from compret.metrics.nevir import paired_accuracy
from compret.results_file import ResultsFile, stem


@dataclass(frozen=True)
class ContrastSet:
    """Pairs of documents that contradict each other in one point, each with the query that it answers (NevIR)."""

    name: str
    queries: Sequence[tuple[str, str]]
    documents: Sequence[tuple[str, str]]
    """The first answers the first query, the second the second."""
    fingerprint: str
    origin: Mapping[str, object] = field(default_factory=dict)
    """Hub id -> revision; empty for a file."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was left out while reading: name -> number."""

    def evaluate(self, scorer: Scorer) -> NevIRResult:
        """Score each query with both documents of its pair."""
        first = np.arange(0, 2 * len(self.queries), 2)
        rows_P22 = np.stack([np.stack([first + i, first + j], axis=1) for i in (0, 1) for j in (0, 1)], axis=1)
        queries, documents = (list(chain.from_iterable(texts)) for texts in (self.queries, self.documents))
        found = scorer.relevance(queries, documents, rows_P22.reshape(-1, 2), self.name)
        scores_P22 = found.scores_P.reshape(-1, 2, 2)
        return NevIRResult(
            name=self.name,
            metrics={"paired_accuracy": paired_accuracy(scores_P22)},
            fingerprint=self.fingerprint,
            score=scorer.name,
            counts={"pairs": len(self.queries), **self.counts, **found.counts},
            seconds=found.seconds,
            data=self,
            scores_P22=scores_P22,
        )


@dataclass(frozen=True, kw_only=True)
class NevIRResult(Result, kind="nevir"):
    """One set of P pairs: its paired accuracy, and the scores that it follows from."""

    data: ContrastSet
    scores_P22: NDArray[np.float64]
    """Of query i (axis 1) with document j (axis 2)."""

    columns = (Column("NevIR paired accuracy", "paired_accuracy"),)
    shown: ClassVar[Mapping[str, str]] = {"paired_accuracy": "paired accuracy"}

    def recomputed(self) -> NevIRResult:
        return replace(self, metrics={"paired_accuracy": paired_accuracy(self.scores_P22)})

    def write(self, folder: Path) -> None:
        pairs = zip(self.data.queries, self.data.documents, self.scores_P22.tolist(), strict=True)
        rows = ({"queries": q, "documents": d, "scores": scores} for q, d, scores in pairs)
        write_json_lines(folder / "scores" / f"{stem(self.name)}.jsonl", rows)

    @classmethod
    def read(cls, stored: ResultsFile, name: str) -> Self:
        path, facts = stored.path.parent / "scores" / f"{stem(name)}.jsonl", cls.facts(stored, name)
        with reading(f"{path}: not as compret writes it"):
            rows = [row.content for row in read_json_lines(path)]
            queries, documents = ([(row[side][0], row[side][1]) for row in rows] for side in ("queries", "documents"))
            scores_P22 = np.array([row["scores"] for row in rows], dtype=np.float64).reshape(-1, 2, 2)
        stored.check_rows(path, name, len(rows), "pairs")
        data = ContrastSet(name, queries, documents, facts["fingerprint"])
        return cls(**facts, data=data, scores_P22=scores_P22)
