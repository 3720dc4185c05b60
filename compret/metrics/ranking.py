"""Retrieval metrics through ranx, on rankings whose order of ties is already settled.

Q queries, C ranks, R relevant documents of the query that has most.
"""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

Ranking = Sequence[tuple[str, float]]
Run = Mapping[str, Ranking]
Qrels = Mapping[str, Mapping[str, int]]

DEPTH = 100
"""Ranks that any metric looks at."""
_HITS_AT = (1, 3, 5, 10, DEPTH)
_RANX = ("ndcg@10", "mrr@10", f"map@{DEPTH}", *(f"hits@{k}" for k in _HITS_AT))
METRICS = (
    *("ndcg@10", "mrr@10", "map@100"),
    *(f"{name}@{k}" for name in ("accuracy", "precision") for k in (1, 3, 5, 10)),
    *(f"recall@{k}" for k in _HITS_AT),
)


@dataclass(frozen=True)
class RankingScores:
    """What a ranking is worth, over the queries that have a relevant document."""

    mean: dict[str, float | None]
    """Metric -> unweighted mean over the queries; None if there are none."""
    per_query: dict[str, dict[str, float]]
    """Metric -> query id -> value."""
    queries: int
    dropped: int
    """Queries of the run or the judgements that have no relevant document."""
    graded: bool = False
    """Whether nDCG took the grades as gains."""


def ranking_scores(run: Run, qrels: Qrels, graded: bool = False) -> RankingScores:
    """Score a ranking. With R relevant documents (grade > 0) and h(i) = 1 if the one at rank i is relevant:

    - ndcg@10 = sum over i <= 10 of g(i) / log2(i + 1), over the same sum of the ideal ranking; g = h, or the grade if
      `graded` (Jarvelin and Kekalainen 2002, linear gain);
    - mrr@10 = 1 / rank of the first relevant document, 0 below rank 10 (Voorhees 1999);
    - map@100 = sum over i <= 100 of h(i) * precision@i, over min(100, R) (sentence-transformers; trec_eval has R);
    - accuracy@k = 1 if any of the k first is relevant; precision@k = hits in the k first / k, recall@k = hits / R.

    All lie in [0, 1] and equal those of sentence-transformers' InformationRetrievalEvaluator.

    Args:
        run: query id -> (document id, score), best first. The order is the ranking, the scores are not looked at. A
            judged query that is missing scores 0.
        qrels: query id -> document id -> grade.

    Raises:
        ValueError: a document stands twice in a ranking.
    """
    relevant = {query: _by_grade(judged) for query, judged in qrels.items() if any(g > 0 for g in judged.values())}
    dropped = len(run.keys() | qrels.keys()) - len(relevant)
    if not relevant:
        return RankingScores(dict.fromkeys(METRICS), {metric: {} for metric in METRICS}, 0, dropped, graded)
    values = _values(*_arrays(run, relevant, graded))
    per_query = {metric: dict(zip(relevant, values[metric].tolist(), strict=True)) for metric in METRICS}
    mean: dict[str, float | None] = {metric: float(values[metric].mean()) for metric in METRICS}
    return RankingScores(mean, per_query, len(relevant), dropped, graded)


def _by_grade(judged: Mapping[str, int]) -> dict[str, int]:
    """The relevant documents, highest grade first: ranx takes their order for the ideal ranking."""
    return {d: g for d, g in sorted(judged.items(), key=lambda item: -item[1]) if g > 0}


def _arrays(
    run: Run, relevant: Mapping[str, Mapping[str, int]], graded: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """ranx's own layout of (document, grade) `(Q, R, 2)` and (document, score) `(Q, C, 2)`.

    Documents are numbered within their query: ranx's own reader of string ids compiles for 20 seconds on a first use,
    and cuts 64-bit hashes to a float64's 53 bits. Scores fall strictly, since ranx leaves ties in no order.
    """
    most = max(map(len, relevant.values()))
    qrels_QR2 = np.full((len(relevant), most, 2), (-2.0, 0.0))
    run_QC2 = np.full((len(relevant), DEPTH, 2), -1.0)
    run_QC2[:, :, 1] = np.arange(DEPTH, 0, -1)
    for row, (query, grades) in enumerate(relevant.items()):
        qrels_QR2[row, : len(grades), 0] = np.arange(len(grades))
        qrels_QR2[row, : len(grades), 1] = list(grades.values()) if graded else 1
        number = {document: i for i, document in enumerate(grades)}
        documents = [document for document, _ in run.get(query, ())[:DEPTH]]
        if len(set(documents)) < len(documents):
            raise ValueError(f"query '{query}': a document stands twice in its ranking")
        run_QC2[row, : len(documents), 0] = [number.get(document, -1) for document in documents]
    return qrels_QR2, run_QC2


def _values(qrels_QR2: NDArray[np.float64], run_QC2: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Metric -> values `(Q,)`.

    Accuracy, precision and recall come from ranx's hits, which saves compiling three functions on a first use.
    """
    found = _ranx().evaluate(qrels_QR2, run_QC2, list(_RANX), return_mean=False)
    relevant_Q = (qrels_QR2[:, :, 1] > 0).sum(1)
    values = {metric: found[metric] for metric in ("ndcg@10", "mrr@10")}
    values["map@100"] = found["map@100"] * relevant_Q / np.minimum(relevant_Q, DEPTH)
    for k in _HITS_AT:
        hits_Q = found[f"hits@{k}"]
        values[f"accuracy@{k}"] = (hits_Q > 0).astype(np.float64)
        values[f"precision@{k}"] = hits_Q / k
        values[f"recall@{k}"] = hits_Q / relevant_Q
    return values


def _ranx() -> Any:
    """ranx, imported when it is first needed: with numba and plotting it takes about a second.

    Its source has escapes that Python warns of where it is not compiled yet, as after an installation by uv.

    Importing it writes a folder in the home directory and a compiler's cache; where neither can be written, as in some
    containers, it would fail after all texts are encoded, so both go to a temporary folder then.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            import ranx
    except (RuntimeError, OSError) as error:
        import numba

        folder = tempfile.mkdtemp(prefix="compret-ranx-")
        log.warning(
            "ranx: %s; %s is used, set NUMBA_CACHE_DIR and IR_DATASETS_HOME for folders that stay", error, folder
        )
        os.environ["IR_DATASETS_HOME"] = folder
        vars(numba.config)["CACHE_DIR"] = folder
        import ranx
    return ranx
