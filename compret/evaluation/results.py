"""results.json and what lies beside it: rankings, judgements and pair scores, from which every number can be had again.

FOLDER/results.json, runs/<dataset>.trec, qrels/<dataset>.trec, per_query/<dataset>.jsonl, scores/<set>.jsonl.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compret.evaluation.atomic import atomic_write
from compret.evaluation.nevir_result import NevIRResult
from compret.evaluation.trec import (
    read_per_query,
    read_qrels,
    read_run,
    write_json_lines,
    write_per_query,
    write_qrels,
    write_run,
)
from compret.files import read_json_lines, reading
from compret.metrics.edit_words import edit_word_scores
from compret.metrics.near_miss import jaccard, near_miss_metrics
from compret.metrics.ranking import METRICS, Qrels, RankingScores, Run, ranking_scores
from compret.results_file import ResultsFile, read_results_file, stem
from compret.types import NearMissSet, UserError

log = logging.getLogger(__name__)

_PAIR = ("anchor", "candidate", "label", "category", "score")


@dataclass(frozen=True)
class RecallStage:
    """The ranking that a verifier was given, and its worth."""

    scores: RankingScores
    run: Run


@dataclass(frozen=True)
class RetrievalResult:
    """One retrieval dataset: its numbers and all that they follow from."""

    name: str
    suite: str
    scores: RankingScores
    run: Run
    qrels: Qrels
    counts: Mapping[str, int]
    """Documents, queries, and what was done to them on the way: dropped, empty, truncated."""
    seconds: Mapping[str, float]
    fingerprint: str
    recall_stage: RecallStage | None = None
    score: str = "cosine"
    """What ranked the documents; part of the logged names."""

    def to_dict(self) -> dict[str, Any]:
        """Metric -> value, with the recall stage's under "recall_stage" if there was a second stage."""
        stage = self.recall_stage
        return {**self.scores.mean, **({"recall_stage": dict(stage.scores.mean)} if stage else {})}

    def about(self) -> dict[str, Any]:
        gain = "graded" if self.scores.graded else "binary"
        return {"suite": self.suite, "score": self.score, "ndcg_gain": gain, "fingerprint": self.fingerprint}

    def count(self) -> dict[str, int]:
        return {"queries": self.scores.queries, "dropped_queries": self.scores.dropped, **self.counts}

    def recomputed(self) -> RetrievalResult:
        """The same rankings, scored again."""
        graded, stage = self.scores.graded, self.recall_stage
        if stage is not None:
            stage = replace(stage, scores=ranking_scores(stage.run, self.qrels, graded))
        return replace(self, scores=ranking_scores(self.run, self.qrels, graded), recall_stage=stage)

    def write(self, folder: Path) -> None:
        file = stem(self.name)
        write_run(folder / "runs" / f"{file}.trec", self.run)
        write_qrels(folder / "qrels" / f"{file}.trec", self.qrels)
        write_per_query(folder / "per_query" / f"{file}.jsonl", self.scores)
        if self.recall_stage is not None:
            write_run(folder / "runs" / f"{file}.recall_stage.trec", self.recall_stage.run)
            write_per_query(folder / "per_query" / f"{file}.recall_stage.jsonl", self.recall_stage.scores)

    @classmethod
    def read(cls, stored: ResultsFile, name: str) -> RetrievalResult:
        about, counts, values = stored.about(name), stored.meta["counts"][name], dict(stored.retrieval[name])
        size = (counts["queries"], counts["dropped_queries"], about["ndcg_gain"] == "graded")
        folder, file, recalled = stored.path.parent, stem(name), values.pop("recall_stage", None)

        def ranking(values: Mapping[str, Any], file: str) -> tuple[RankingScores, Run]:
            with reading(f"{stored.path}: '{name}' lacks a metric"):
                mean = {metric: values[metric] for metric in METRICS}
            path = folder / "per_query" / f"{file}.jsonl"
            per_query = read_per_query(path)
            stored.check_rows(path, name, len(per_query["ndcg@10"]), "queries")
            return RankingScores(mean, per_query, *size), read_run(folder / "runs" / f"{file}.trec")

        qrels = read_qrels(folder / "qrels" / f"{file}.trec")
        stored.check_rows(folder / "qrels" / f"{file}.trec", name, len(qrels), "queries", "dropped_queries")
        return cls(
            name,
            about["suite"],
            *ranking(values, file),
            qrels,
            counts,
            stored.timing[name],
            about["fingerprint"],
            RecallStage(*ranking(recalled, f"{file}.recall_stage")) if recalled else None,
            about["score"],
        )


@dataclass(frozen=True)
class NearMissResult:
    """One set of labelled pairs: its numbers, and the pairs with their scores."""

    name: str
    metrics: Mapping[str, Any]
    """As `near_miss_metrics` gives them."""
    data: NearMissSet
    scores_P: NDArray[np.float64]
    counts: Mapping[str, int]
    seconds: Mapping[str, float]
    score: str = "cosine"
    """What scored the pairs; part of the logged names."""

    def to_dict(self) -> dict[str, Any]:
        return dict(self.metrics)

    def about(self) -> dict[str, Any]:
        return {"score": self.score, "fingerprint": self.data.fingerprint}

    def count(self) -> dict[str, int]:
        return {"pairs": len(self.scores_P), **self.counts}

    def recomputed(self) -> NearMissResult:
        """The same scores, measured again, edited words too; at the stored threshold, whose pairs are not kept."""
        data, threshold = self.data, self.metrics["threshold"]
        overlap_P = np.array([jaccard(a, c) for a, c in zip(data.anchors, data.candidates, strict=True)])
        pairs = (self.scores_P, data.labels, data.categories, data.anchors)
        edited_P = edit_word_scores(data.anchors, data.candidates, data.labels)
        return replace(self, metrics=near_miss_metrics(*pairs, overlap_P, threshold, edited_P))

    def write(self, folder: Path) -> None:
        if self.metrics["threshold"] is None:
            log.warning("%s: threshold and f1 are null: no validation pairs chose one", self.name)
        data, labels, scores = self.data, map(int, self.data.labels), self.scores_P.tolist()
        columns = zip(data.anchors, data.candidates, labels, data.categories, scores, strict=True)
        rows = (dict(zip(_PAIR, values, strict=True)) for values in columns)
        write_json_lines(folder / "scores" / f"{stem(self.name)}.jsonl", rows)

    @classmethod
    def read(cls, stored: ResultsFile, name: str) -> NearMissResult:
        path = stored.path.parent / "scores" / f"{stem(name)}.jsonl"
        rows = list(read_json_lines(path))
        stored.check_rows(path, name, len(rows), "pairs")
        anchors, candidates, categories = (
            [row.text(key) for row in rows] for key in ("anchor", "candidate", "category")
        )
        labels = [row.whole("label", 0) for row in rows]
        if max(labels, default=0) > 1:
            raise UserError(f"{rows[labels.index(max(labels))].origin}: 'label' must be 1 or 0")
        scores_P = np.array([row.number("score") for row in rows], dtype=np.float64)
        data = NearMissSet(name, anchors, candidates, labels, categories, stored.about(name)["fingerprint"])
        counts, seconds = stored.meta["counts"][name], stored.timing[name]
        metrics = {"threshold": None, **stored.near_miss[name]}
        return cls(name, metrics, data, scores_P, counts, seconds, stored.about(name)["score"])


@dataclass(frozen=True)
class Results:
    """All that one test run measured.

    Raises:
        UserError: two datasets have one name, under which the files of one would replace those of the other.
    """

    meta: Mapping[str, Any]
    """What made the results; each dataset's fingerprint goes under "data" and its counts under "counts"."""
    retrieval: Sequence[RetrievalResult]
    near_miss: Sequence[NearMissResult]
    nevir: Sequence[NevIRResult] = ()

    def __post_init__(self) -> None:
        """Two names may also differ only in what a file name cannot hold."""
        stems = Counter(stem(result.name) for result in self.all)
        taken = next((name for name, n in stems.items() if n > 1 or name == "mean"), None)
        if taken is not None:
            raise UserError(f"dataset '{taken}': the name is taken; a test run's datasets need names of their own")

    @property
    def all(self) -> tuple[RetrievalResult | NearMissResult | NevIRResult, ...]:
        return (*self.retrieval, *self.near_miss, *self.nevir)

    def to_dict(self) -> dict[str, Any]:
        """What results.json holds."""
        retrieval = {result.name: result.to_dict() for result in self.retrieval}
        return {
            "meta": {
                **self.meta,
                "data": {result.name: result.about() for result in self.all},
                "counts": {result.name: result.count() for result in self.all},
            },
            "retrieval": {**retrieval, **({"mean": _mean(list(retrieval.values()))} if retrieval else {})},
            "nearmiss": {result.name: result.to_dict() for result in self.near_miss},
            **({"nevir": {result.name: result.to_dict() for result in self.nevir}} if self.nevir else {}),
            "timing": {result.name: dict(result.seconds) for result in self.all},
        }

    def flat(self) -> dict[str, float]:
        """Defined numbers under sentence-transformers' names: NanoNQ_cosine_ndcg@10, NanoBEIR_mean_cosine_ndcg@10."""
        rows = [(f"{result.name}_{result.score}", result.to_dict()) for result in self.all]
        for suite, score in dict.fromkeys((r.suite, r.score) for r in self.retrieval):
            members = [r.to_dict() for r in self.retrieval if (r.suite, r.score) == (suite, score)]
            rows.append((f"{suite}_mean_{score}", _mean(members)))
        rows += [(f"{name}_recall_stage", values["recall_stage"]) for name, values in rows if "recall_stage" in values]
        flat = {f"{name}_{metric}": value for name, values in rows for metric, value in values.items()}
        return {name: float(value) for name, value in flat.items() if isinstance(value, int | float)}

    def headline(self) -> float:
        """One number to choose a checkpoint by, in [0, 1], higher is better.

        The mean of nDCG@10 over the retrieval datasets, of AUROC over the near-miss sets, and of paired accuracy over
        NevIR's; of all kinds that there are, so that none is bought with another by having more datasets.

        Raises:
            UserError: no dataset defines its number.
        """
        kinds = [
            [r.scores.mean["ndcg@10"] for r in self.retrieval],
            [r.metrics["auroc"] for r in self.near_miss],
            [r.accuracy for r in self.nevir],
        ]
        defined = [[value for value in kind if value is not None] for kind in kinds]
        means = [float(np.mean(kind)) for kind in defined if kind]
        if not means:
            raise UserError("no dataset defines nDCG@10 or AUROC: give judged queries, or pairs of both labels")
        return float(np.mean(means))

    def recomputed(self) -> Results:
        """Every number computed again from rankings and scores; `to_dict` then equals what was stored."""
        retrieval = [result.recomputed() for result in self.retrieval]
        return replace(self, retrieval=retrieval, near_miss=[result.recomputed() for result in self.near_miss])

    def write(self, folder: str | Path) -> Path:
        """Write all files into a folder, results.json last, so that where it stands the rest is whole.

        Raises:
            UserError: the folder cannot be written.
        """
        path = Path(folder) / "results.json"
        for result in self.all:
            result.write(path.parent)
        with atomic_write(path) as file:
            json.dump(self.to_dict(), file, indent=2, allow_nan=False)
            file.write("\n")
        return path

    @classmethod
    def read(cls, path: str | Path) -> Results:
        """Results as they were written: values are the stored ones (see `recomputed`).

        Args:
            path: the folder, or the results.json in it.

        Raises:
            UserError: a file is missing or is not what compret writes; the message names it.
        """
        stored = read_results_file(path)
        retrieval = [RetrievalResult.read(stored, name) for name in stored.retrieval]
        near_miss = [NearMissResult.read(stored, name) for name in stored.near_miss]
        nevir = [NevIRResult.read(stored, name) for name in stored.nevir]
        meta = {key: value for key, value in stored.meta.items() if key not in ("data", "counts")}
        return cls(meta, retrieval, near_miss, nevir)


def _mean(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Unweighted mean of each metric; None where a row has none, since a mean over fewer would pass for the whole."""
    means: dict[str, Any] = {}
    for metric in METRICS:
        values = [row[metric] for row in rows]
        means[metric] = None if None in values else float(np.mean(values))
    if all("recall_stage" in row for row in rows):
        means["recall_stage"] = _mean([row["recall_stage"] for row in rows])
    return means
