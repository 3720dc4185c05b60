"""Retrieval sets: documents are ranked for queries, and the rankings measured against judgements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from compret.evaluation.result import Column, Result
from compret.evaluation.scorer import Scorer
from compret.evaluation.trec import read_per_query, read_qrels, read_run, write_per_query, write_qrels, write_run
from compret.files import Settings
from compret.metrics.ranking import METRICS, Qrels, Run, ranking_scores
from compret.results_file import ResultsFile, stem

PerQuery = Mapping[str, Mapping[str, float]]
"""Metric -> query id -> value."""


@dataclass(frozen=True)
class RetrievalSet:
    """One retrieval dataset: documents, queries and judgements."""

    name: str
    suite: str
    """NanoBEIR or BEIR: the name under which means are logged."""
    document_ids: Sequence[str]
    documents: Sequence[str]
    query_ids: Sequence[str]
    queries: Sequence[str]
    qrels: Qrels
    """query id -> document id -> grade (0 is judged not relevant); also of documents that are empty and left out."""
    fingerprint: str
    """Hash of all that is above."""
    origin: Mapping[str, object] = field(default_factory=dict)
    """Maker -> what it made the set from (`pydoc` -> packages, versions, counts), or hub id -> revision; else empty."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What was left out while reading: name -> number."""

    def evaluate(self, scorer: Scorer) -> RetrievalResult:
        """Rank all documents for each query, and score the ranking; nDCG counts any grade above 0 as 1."""
        ranked = scorer.rank(self)
        return measured(
            ranked.run,
            self.qrels,
            ranked.recalled,
            name=self.name,
            suite=self.suite,
            fingerprint=self.fingerprint,
            score=scorer.name,
            counts={**self.counts, **ranked.counts},
            seconds=ranked.seconds,
        )


@dataclass(frozen=True)
class RecallStage:
    """The ranking that a second stage was given."""

    run: Run
    per_query: PerQuery


@dataclass(frozen=True, kw_only=True)
class RetrievalResult(Result, kind="retrieval"):
    """One retrieval dataset: its numbers and all that they follow from.

    Where there were two stages, `metrics` has those of the first under "recall_stage".
    """

    run: Run
    qrels: Qrels
    per_query: PerQuery
    graded: bool = False
    """Whether nDCG took the grades as gains."""
    recall_stage: RecallStage | None = None

    columns = (Column("retrieval nDCG@10", "ndcg@10", same=("search", "ndcg_gain"), by_query=True),)
    shown: ClassVar[Mapping[str, str]] = {"ndcg@10": "nDCG@10", "recall@100": "recall@100"}

    def about(self) -> dict[str, str]:
        return {**super().about(), "ndcg_gain": "graded" if self.graded else "binary"}

    def recomputed(self) -> RetrievalResult:
        """The same rankings, scored again."""
        recalled = self.recall_stage.run if self.recall_stage else None
        return measured(self.run, self.qrels, recalled, self.graded, **self._own_facts())

    def _own_facts(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in ("name", "suite", "fingerprint", "score", "counts", "seconds")}

    def write(self, folder: Path) -> None:
        file = stem(self.name)
        write_qrels(folder / "qrels" / f"{file}.trec", self.qrels)
        for name, stage in ((file, self), (f"{file}.recall_stage", self.recall_stage)):
            if stage is not None:
                write_run(folder / "runs" / f"{name}.trec", stage.run)
                write_per_query(folder / "per_query" / f"{name}.jsonl", stage.per_query)

    @classmethod
    def read(cls, stored: ResultsFile, name: str) -> Self:
        folder, file, facts = stored.path.parent, stem(name), cls.facts(stored, name)
        entry = Settings(f"{stored.path}: '{name}'", facts["metrics"])
        gain = Settings(f"{stored.path}: 'meta': 'data': '{name}'", stored.about(name)).text("ndcg_gain")
        for stage in [entry, *filter(None, [entry.part("recall_stage", None)])]:
            for metric in METRICS:
                stage.number(metric, None)

        def ranking(file: str) -> RecallStage:
            path = folder / "per_query" / f"{file}.jsonl"
            per_query = read_per_query(path)
            stored.check_rows(path, name, len(per_query["ndcg@10"]), "queries")
            return RecallStage(read_run(folder / "runs" / f"{file}.trec"), per_query)

        first = ranking(file)
        recalled = ranking(f"{file}.recall_stage") if entry.content.get("recall_stage") else None
        judged = folder / "qrels" / f"{file}.trec"
        qrels = read_qrels(judged)
        with_relevant = sum(any(grade > 0 for grade in grades.values()) for grades in qrels.values())
        stored.check_rows(judged, name, with_relevant, "queries")
        return cls(**facts, **vars(first), qrels=qrels, graded=gain == "graded", recall_stage=recalled)


def measured(run: Run, qrels: Qrels, recalled: Run | None, graded: bool = False, **facts: Any) -> RetrievalResult:
    """The worth of a ranking, and of the one that it was made of.

    Args:
        recalled: the recall stage's ranking, if there were two stages.
        facts: the other fields of the result.
    """
    scores = ranking_scores(run, qrels, graded)
    metrics: dict[str, Any] = dict(scores.mean)
    stage = None
    if recalled is not None:
        first = ranking_scores(recalled, qrels, graded)
        stage, metrics["recall_stage"] = RecallStage(recalled, first.per_query), dict(first.mean)
    counts = {**facts.pop("counts"), "queries": scores.queries, "dropped_queries": scores.dropped}
    return RetrievalResult(
        **facts,
        metrics=metrics,
        counts=counts,
        run=run,
        qrels=qrels,
        per_query=scores.per_query,
        graded=graded,
        recall_stage=stage,
    )
