"""Near-miss sets: labelled pairs are scored, and it is measured how well the scores tell the labels apart."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from compret.evaluation.result import Column, Result
from compret.evaluation.scorer import Scorer
from compret.evaluation.trec import write_json_lines
from compret.files import Settings, read_json_lines
from compret.metrics.edit_words import edit_word_scores
from compret.metrics.near_miss import jaccard, near_miss_metrics
from compret.results_file import ResultsFile, stem
from compret.types import UserError

log = logging.getLogger(__name__)
_PAIR = ("anchor", "candidate", "label", "category", "score")


@dataclass(frozen=True)
class NearMissSet:
    """Labelled pairs: an anchor and a candidate that means the same (1) or nearly matches and does not (0)."""

    name: str
    anchors: Sequence[str]
    candidates: Sequence[str]
    labels: Sequence[int]
    categories: Sequence[str]
    fingerprint: str
    validation: NearMissSet | None = None
    """Pairs on which a threshold may be chosen; never the test pairs themselves."""
    origin: Mapping[str, object] = field(default_factory=dict)
    """Maker -> what it made the set from, or hub id -> revision; else empty."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was left out while reading: name -> number."""

    def evaluate(self, scorer: Scorer) -> NearMissResult:
        """Score each pair; f1 is that of the best threshold on the validation pairs, or of the scorer's own."""
        threshold = scorer.best_threshold(self.validation) if self.validation else scorer.threshold
        found = scorer.pairs(self.anchors, self.candidates, self.name)
        return NearMissResult(
            name=self.name,
            metrics=measured(self, found.scores_P, threshold),
            fingerprint=self.fingerprint,
            score=scorer.name,
            counts={"pairs": len(self.labels), **self.counts, **found.counts},
            seconds=found.seconds,
            data=self,
            scores_P=found.scores_P,
        )


@dataclass(frozen=True, kw_only=True)
class NearMissResult(Result, kind="nearmiss"):
    """One set of labelled pairs: its numbers, as `near_miss_metrics` gives them, and the pairs with their scores."""

    data: NearMissSet
    scores_P: NDArray[np.float64]

    columns = (Column("near-miss AUROC", "auroc"),)
    shown: ClassVar[Mapping[str, str]] = {
        "auroc": "AUROC",
        "overlap_auroc": "of word overlap",
        "edit_words_auroc": "of edited words",
    }

    @property
    def labelled(self) -> tuple[Sequence[float], Sequence[int]]:
        return self.scores_P.tolist(), self.data.labels

    def with_baselines(self) -> NearMissResult:
        return self.recomputed()

    def recomputed(self) -> NearMissResult:
        """The same scores, measured again, edited words too; at the stored threshold, whose pairs are not kept."""
        data = self.data
        edited_P = edit_word_scores(data.anchors, data.candidates, data.labels)
        return replace(self, metrics=measured(data, self.scores_P, self.metrics["threshold"], edited_P))

    def write(self, folder: Path) -> None:
        if self.metrics["threshold"] is None:
            log.warning("%s: threshold and f1 are null: no validation pairs chose one", self.name)
        self.write_scores(folder)

    def write_scores(self, folder: Path) -> Path:
        """Write the pairs and their scores to scores/, JSON lines of anchor, candidate, label, category, score."""
        path = folder / "scores" / f"{stem(self.name)}.jsonl"
        data, labels, scores = self.data, map(int, self.data.labels), self.scores_P.tolist()
        columns = zip(data.anchors, data.candidates, labels, data.categories, scores, strict=True)
        rows = (dict(zip(_PAIR, values, strict=True)) for values in columns)
        write_json_lines(path, rows)
        return path

    @classmethod
    def read(cls, stored: ResultsFile, name: str) -> Self:
        facts = cls.facts(stored, name)
        path = stored.path.parent / "scores" / f"{stem(name)}.jsonl"
        rows = list(read_json_lines(path))
        anchors, candidates = ([row.text(key) for row in rows] for key in ("anchor", "candidate"))
        labels = [row.whole("label", 0) for row in rows]
        if max(labels, default=0) > 1:
            raise UserError(f"{rows[labels.index(max(labels))].origin}: 'label' must be 1 or 0")
        categories = [row.text("category") for row in rows]
        stored.check_rows(path, name, len(rows), "pairs")
        data = NearMissSet(name, anchors, candidates, labels, categories, facts["fingerprint"])
        facts["metrics"] = {"threshold": None, **facts["metrics"]}
        Settings(f"{stored.path}: '{name}'", facts["metrics"]).number("threshold", None)
        return cls(**facts, data=data, scores_P=np.array([row.number("score") for row in rows], dtype=np.float64))


def measured(
    data: NearMissSet,
    scores_P: NDArray[np.float64],
    threshold: float | None,
    edit_words_P: NDArray[np.float64] | None = None,
) -> dict[str, Any]:
    """All metrics of scored pairs."""
    overlap_P = np.array([jaccard(a, c) for a, c in zip(data.anchors, data.candidates, strict=True)])
    labels = np.array(data.labels)
    return near_miss_metrics(scores_P, labels, data.categories, data.anchors, overlap_P, threshold, edit_words_P)
