"""What NevIR's pairs gave: their scores, the accuracy that follows from them, and both on disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compret.evaluation.trec import write_json_lines
from compret.files import read_json_lines, reading
from compret.metrics.nevir import paired_accuracy
from compret.results_file import ResultsFile, stem
from compret.types import ContrastSet


@dataclass(frozen=True)
class NevIRResult:
    """One set of P pairs: its paired accuracy, and the scores that it follows from."""

    name: str
    data: ContrastSet
    scores_P22: NDArray[np.float64]
    """Of query i (axis 1) with document j (axis 2)."""
    counts: Mapping[str, int]
    seconds: Mapping[str, float]
    score: str = "cosine"
    """What scored the documents; part of the logged names."""

    @property
    def accuracy(self) -> float | None:
        return paired_accuracy(self.scores_P22)

    def to_dict(self) -> dict[str, Any]:
        return {"paired_accuracy": self.accuracy}

    def about(self) -> dict[str, Any]:
        return {"score": self.score, "fingerprint": self.data.fingerprint}

    def count(self) -> dict[str, int]:
        return {"pairs": len(self.scores_P22), **self.counts}

    def recomputed(self) -> NevIRResult:
        """Itself: the accuracy is always that of the scores."""
        return self

    def write(self, folder: Path) -> None:
        pairs = zip(self.data.queries, self.data.documents, self.scores_P22.tolist(), strict=True)
        rows = ({"queries": q, "documents": d, "scores": scores} for q, d, scores in pairs)
        write_json_lines(folder / "scores" / f"{stem(self.name)}.jsonl", rows)

    @classmethod
    def read(cls, stored: ResultsFile, name: str) -> NevIRResult:
        path = stored.path.parent / "scores" / f"{stem(name)}.jsonl"
        with reading(f"{path}: not as compret writes it"):
            rows = [row.content for row in read_json_lines(path)]
            queries, documents = ([(row[side][0], row[side][1]) for row in rows] for side in ("queries", "documents"))
            scores_P22 = np.array([row["scores"] for row in rows], dtype=np.float64).reshape(-1, 2, 2)
        stored.check_rows(path, name, len(rows), "pairs")
        about = stored.about(name)
        data = ContrastSet(name, queries, documents, about["fingerprint"])
        return cls(name, data, scores_P22, stored.meta["counts"][name], stored.timing[name], about["score"])
