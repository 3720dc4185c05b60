"""Exact retrieval by pooled cosine: the best k documents of each query, in sentence-transformers' order of ties."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compret.evaluation.encode import encode
from compret.evaluation.results import RetrievalResult
from compret.metrics.ranking import ranking_scores
from compret.nn.encoder import TextEncoder
from compret.types import RetrievalSet

DEPTH = 100
"""Documents kept a query: what MAP@100 and recall@100 need."""
_SCORE_CELLS = 1 << 25
"""Scores held at a time: 128 MiB."""


class Counted(Protocol):
    """Encoded texts that know how many lost their end, and how many were empty."""

    @property
    def truncated(self) -> int: ...

    @property
    def empty(self) -> int: ...


@dataclass(frozen=True)
class Ranking:
    """The K best documents of each query."""

    scores_QK: Tensor
    """Falling."""
    rows_QK: Tensor
    """Places in `by_id`; equal scores by rising place."""
    by_id: NDArray[np.int64]
    """Numbers of the documents in the order of their ids."""

    def run(self, data: RetrievalSet) -> dict[str, list[tuple[str, float]]]:
        """Query id -> document ids and scores."""
        ids = [data.document_ids[i] for i in self.by_id]
        ranked = zip(data.query_ids, self.scores_QK.tolist(), self.rows_QK.tolist(), strict=True)
        return {q: [(ids[row], score) for row, score in zip(rows, scores, strict=True)] for q, scores, rows in ranked}


def evaluate_retrieval(encoder: TextEncoder, data: RetrievalSet, graded: bool = False) -> RetrievalResult:
    """Encode each text once, rank all documents for each query, and score the ranking.

    Args:
        graded: nDCG with the grades as gains; any grade above 0 counts 1 otherwise, as in sentence-transformers.
    """
    start = time.perf_counter()
    documents = encode(encoder, data.documents, "document", f"{data.name} documents")
    queries = encode(encoder, data.queries, "query", f"{data.name} queries")
    encoded = time.perf_counter()
    run = rank_documents(queries.unit_ND, documents.unit_ND, data.document_ids).run(data)
    scores = ranking_scores(run, data.qrels, graded=graded)
    seconds = {"encode": encoded - start, "search": time.perf_counter() - encoded}
    counts = count_texts(data, documents, queries)
    return RetrievalResult(data.name, data.suite, scores, run, data.qrels, counts, seconds, data.fingerprint)


def count_texts(data: RetrievalSet, documents: Counted, queries: Counted) -> dict[str, int]:
    """What was done to the texts on the way."""
    return {
        "documents": len(data.documents),
        "empty_documents": documents.empty,
        "truncated_documents": documents.truncated,
        "truncated_queries": queries.truncated,
    }


def rank_documents(queries_QD: Tensor, documents_ND: Tensor, ids: Sequence[str], depth: int = DEPTH) -> Ranking:
    """The best documents of each query by cosine: score falling, then id rising.

    Args:
        ids: N document ids.
    """
    by_id = np.argsort(np.array(ids, dtype=object), kind="stable")
    documents_ND = documents_ND[torch.from_numpy(by_id).to(documents_ND.device)]
    step = max(1, _SCORE_CELLS // len(ids))
    found = [top_k(block @ documents_ND.T, depth) for block in queries_QD.split(step)]
    scores_QK, rows_QK = (torch.cat(parts) for parts in zip(*found, strict=True))
    return Ranking(scores_QK, rows_QK, by_id)


def top_k(scores_QN: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best scores of each row and their columns, `(Q, k)` each: score falling, then column rising.

    `torch.topk` breaks ties as it likes, also at the cut; rows where the cut falls inside a tie are sorted whole.
    """
    k = min(k, scores_QN.shape[1])
    columns_QK = scores_QN.topk(k, dim=1).indices
    cut_Q1 = scores_QN.gather(1, columns_QK).amin(1, keepdim=True)
    torn_Q = (scores_QN >= cut_Q1).sum(1) > k
    if torn_Q.any():
        columns_QK[torn_Q] = scores_QN[torn_Q].sort(dim=1, descending=True, stable=True).indices[:, :k]
    columns_QK = columns_QK.sort(dim=1).values
    sorted_QK = scores_QN.gather(1, columns_QK).sort(dim=1, descending=True, stable=True)
    return sorted_QK.values, columns_QK.gather(1, sorted_QK.indices)
