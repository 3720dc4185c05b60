"""results.json and what lies beside it: rankings, judgements and pair scores, from which every number can be had again.

FOLDER/results.json, runs/<dataset>.trec, qrels/<dataset>.trec, per_query/<dataset>.jsonl, scores/<set>.jsonl.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

from compret.data.names import file_stem
from compret.evaluation.atomic import atomic_write
from compret.metrics.nearmiss import jaccard, near_miss_metrics
from compret.metrics.ranking import METRICS, Qrels, RankingScores, Run, ranking_scores
from compret.types import NearMissSet, UserError

log = logging.getLogger(__name__)

TAG = "compret"
"""Name of the system in the run files."""
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
        stem = file_stem(self.name)
        _write_run(folder / "runs" / f"{stem}.trec", self.run)
        _write_qrels(folder / "qrels" / f"{stem}.trec", self.qrels)
        _write_per_query(folder / "per_query" / f"{stem}.jsonl", self.scores)
        if self.recall_stage is not None:
            _write_run(folder / "runs" / f"{stem}.recall_stage.trec", self.recall_stage.run)
            _write_per_query(folder / "per_query" / f"{stem}.recall_stage.jsonl", self.recall_stage.scores)

    @classmethod
    def read(cls, folder: Path, name: str, stored: Mapping[str, Any]) -> RetrievalResult:
        about, counts = stored["meta"]["data"][name], stored["meta"]["counts"][name]
        size = (counts["queries"], counts["dropped_queries"], about["ndcg_gain"] == "graded")
        values, stem, stage = dict(stored["retrieval"][name]), file_stem(name), None
        recalled = values.pop("recall_stage", None)
        if recalled is not None:
            per_query = _read_per_query(folder / "per_query" / f"{stem}.recall_stage.jsonl")
            run = _read_run(folder / "runs" / f"{stem}.recall_stage.trec")
            stage = RecallStage(RankingScores(recalled, per_query, *size), run)
        return cls(
            name,
            about["suite"],
            RankingScores(values, _read_per_query(folder / "per_query" / f"{stem}.jsonl"), *size),
            _read_run(folder / "runs" / f"{stem}.trec"),
            _read_qrels(folder / "qrels" / f"{stem}.trec"),
            counts,
            stored["timing"][name],
            about["fingerprint"],
            stage,
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
        """The same scores, measured again; the threshold is the stored one, since validation pairs are not kept."""
        data, threshold = self.data, self.metrics["threshold"]
        overlap_P = np.array([jaccard(a, c) for a, c in zip(data.anchors, data.candidates, strict=True)])
        pairs = (self.scores_P, data.labels, data.categories, data.anchors)
        return replace(self, metrics=near_miss_metrics(*pairs, overlap_P, threshold))

    def write(self, folder: Path) -> None:
        if self.metrics["threshold"] is None:
            log.warning("%s: threshold and f1 are null: no validation pairs chose one", self.name)
        data, labels, scores = self.data, map(int, self.data.labels), self.scores_P.tolist()
        columns = zip(data.anchors, data.candidates, labels, data.categories, scores, strict=True)
        rows = (dict(zip(_PAIR, values, strict=True)) for values in columns)
        _write_jsonl(folder / "scores" / f"{file_stem(self.name)}.jsonl", rows)

    @classmethod
    def read(cls, folder: Path, name: str, stored: Mapping[str, Any]) -> NearMissResult:
        about, path = stored["meta"]["data"][name], folder / "scores" / f"{file_stem(name)}.jsonl"
        rows = _read_jsonl(path)
        with _reading(path):
            anchors, candidates, labels, categories, scores = ([row[column] for row in rows] for column in _PAIR)
            scores_P = np.array(scores, dtype=np.float64)
        data = NearMissSet(name, anchors, candidates, labels, categories, about["fingerprint"])
        counts, seconds = stored["meta"]["counts"][name], stored["timing"][name]
        return cls(name, stored["nearmiss"][name], data, scores_P, counts, seconds, about["score"])


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

    def __post_init__(self) -> None:
        """Two names may also differ only in what a file name cannot hold."""
        stems = Counter(file_stem(result.name) for result in self.all)
        taken = next((stem for stem, n in stems.items() if n > 1 or stem == "mean"), None)
        if taken is not None:
            raise UserError(f"dataset '{taken}': the name is taken; a test run's datasets need names of their own")

    @property
    def all(self) -> tuple[RetrievalResult | NearMissResult, ...]:
        return (*self.retrieval, *self.near_miss)

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

        The mean of nDCG@10 over the retrieval datasets, and of AUROC over the near-miss sets; of both halves if there
        are both, so that neither question is bought with the other by having more datasets.

        Raises:
            UserError: no dataset defines its number.
        """
        halves = [[r.scores.mean["ndcg@10"] for r in self.retrieval], [r.metrics["auroc"] for r in self.near_miss]]
        defined = [[value for value in half if value is not None] for half in halves]
        means = [float(np.mean(half)) for half in defined if half]
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
        file = Path(path) if Path(path).suffix == ".json" else Path(path) / "results.json"
        with _reading(file):
            stored = json.loads(file.read_text(encoding="utf-8"))
            retrieval = [RetrievalResult.read(file.parent, n, stored) for n in stored["retrieval"] if n != "mean"]
            near_miss = [NearMissResult.read(file.parent, n, stored) for n in stored["nearmiss"]]
            meta = {key: value for key, value in stored["meta"].items() if key not in ("data", "counts")}
        return cls(meta, retrieval, near_miss)


def _mean(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Unweighted mean of each metric; None where a row has none, since a mean over fewer would pass for the whole."""
    means: dict[str, Any] = {}
    for metric in METRICS:
        values = [row[metric] for row in rows]
        means[metric] = None if None in values else float(np.mean(values))
    if all("recall_stage" in row for row in rows):
        means["recall_stage"] = _mean([row["recall_stage"] for row in rows])
    return means


def _write_run(path: Path, run: Run) -> None:
    """TREC's six columns; scores in full, so that they read back the same."""
    with atomic_write(path) as file:
        for query, ranking in run.items():
            for rank, (document, score) in enumerate(ranking, 1):
                file.write(f"{_column(query)} Q0 {_column(document)} {rank} {float(score)!r} {TAG}\n")


def _write_qrels(path: Path, qrels: Qrels) -> None:
    with atomic_write(path) as file:
        for query, judged in qrels.items():
            file.writelines(f"{_column(query)} 0 {_column(document)} {grade}\n" for document, grade in judged.items())


def _read_run(path: Path) -> dict[str, list[tuple[str, float]]]:
    run: dict[str, list[tuple[str, float]]] = {}
    with _reading(path):
        for line in _lines(path):
            query, _, document, _, score, _ = line.split()
            run.setdefault(unquote(query), []).append((unquote(document), float(score)))
    return run


def _read_qrels(path: Path) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = {}
    with _reading(path):
        for line in _lines(path):
            query, _, document, grade = line.split()
            qrels.setdefault(unquote(query), {})[unquote(document)] = int(grade)
    return qrels


def _column(name: str) -> str:
    """An id as one column, white space and % as in URLs; alike in runs and judgements, so that other tools match."""
    return re.sub(r"[\s%]", lambda found: quote(found[0], safe=""), name)


def _write_per_query(path: Path, scores: RankingScores) -> None:
    queries = next(iter(scores.per_query.values()), {})
    rows = ({"query": q, **{metric: values[q] for metric, values in scores.per_query.items()}} for q in queries)
    _write_jsonl(path, rows)


def _read_per_query(path: Path) -> dict[str, dict[str, float]]:
    rows = _read_jsonl(path)
    with _reading(path):
        return {metric: {row["query"]: row[metric] for row in rows} for metric in METRICS}


def _write_jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with atomic_write(path) as file:
        file.writelines(json.dumps(row, allow_nan=False) + "\n" for row in rows)


def _read_jsonl(path: Path) -> list[dict[str, Any]]:
    with _reading(path):
        return [json.loads(line) for line in _lines(path)]


def _lines(path: Path) -> list[str]:
    """Lines that end in a line feed: `splitlines` would also cut at characters that texts may hold."""
    return [line for line in path.read_text(encoding="utf-8").split("\n") if line]


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turns what goes wrong with a file into one line that names it."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not as compret writes it ({type(error).__name__}: {error})") from error
