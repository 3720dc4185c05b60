"""Exact retrieval by pooled cosine: the best k documents of each query, in sentence-transformers' order of ties."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compret.distributed import gather_objects, gather_shards, shard

DEPTH = 100
"""Documents kept a query: what MAP@100 and recall@100 need."""
DOCUMENTS = 1 << 17
"""Documents whose vectors are held at a time: 192 MiB at width 384."""
_SCORE_CELLS = 1 << 25
"""Scores held at a time: 128 MiB."""
Best: TypeAlias = tuple[Tensor, Tensor]
"""Scores of some queries' best documents and the places of those, `(Q, K)` each."""


class Rows(Protocol):
    """Vectors by their numbers, `(B, D)`."""

    def __getitem__(self, rows: NDArray[np.int64], /) -> Tensor: ...


@dataclass(frozen=True)
class Ranking:
    """The K best documents of each query."""

    scores_QK: Tensor
    """Falling."""
    rows_QK: Tensor
    """Places in `by_id`; equal scores by rising place."""
    by_id: NDArray[np.int64]
    """Numbers of the documents in the order of their ids."""

    def run(self, query_ids: Sequence[str], document_ids: Sequence[str]) -> dict[str, list[tuple[str, float]]]:
        """Query id -> document ids and scores."""
        ids = [document_ids[i] for i in self.by_id]
        ranked = zip(query_ids, self.scores_QK.tolist(), self.rows_QK.tolist(), strict=True)
        return {q: [(ids[row], score) for row, score in zip(rows, scores, strict=True)] for q, scores, rows in ranked}


Searcher: TypeAlias = Callable[[Tensor, Rows, Sequence[str], int], Ranking]
"""Ranks so many documents, given by their vectors and ids, for queries."""


def rank_documents(
    queries_QD: Tensor, documents: Rows, ids: Sequence[str], depth: int = DEPTH, block: int = DOCUMENTS
) -> Ranking:
    """The best documents of each query by cosine: score falling, then id rising. Ranks share the queries.

    Args:
        documents: N unit vectors; a `(N, D)` tensor, or what gives some of them by their numbers.
        ids: N document ids.
        block: documents held at a time; it changes nothing.
    """
    by_id = np.argsort(np.array(ids, dtype=object), kind="stable")
    place_N = np.empty_like(by_id)
    place_N[by_id] = np.arange(len(by_id))
    step = max(1, _SCORE_CELLS // min(block, len(ids)))
    asked = [np.arange(len(queries_QD))[start : start + step] for start in range(0, len(queries_QD), step)]
    mine = [_none(queries_QD) for _ in shard(asked)]
    for start in range(0, len(ids), block):
        rows = np.arange(start, min(start + block, len(ids)))
        rows = rows[np.argsort(place_N[rows])]
        vectors_ND = documents[rows]
        places_N = torch.from_numpy(place_N[rows]).to(vectors_ND.device)
        for part, places in enumerate(shard(asked)):
            scores_QK, columns_QK = top_k(_cosines(queries_QD[torch.from_numpy(places)], vectors_ND), depth)
            mine[part] = _merged(mine[part], (scores_QK, places_N[columns_QK]), depth)
    scores_QK, rows_QK = (gathered(parts, asked) for parts in zip(_none(queries_QD), *mine, strict=True))
    return Ranking(scores_QK, rows_QK, by_id)


def _cosines(queries_QD: Tensor, documents_ND: Tensor) -> Tensor:
    """float32 whatever the autocast, whose types cannot tell near neighbours apart."""
    with torch.autocast(queries_QD.device.type, enabled=False):
        return queries_QD @ documents_ND.T


def _none(queries_QD: Tensor) -> Best:
    """The best of no documents, for no query: joins any other."""
    device = queries_QD.device
    return torch.empty((0, 0), device=device), torch.empty((0, 0), dtype=torch.long, device=device)


def _merged(one: Best, other: Best, depth: int) -> Best:
    """The best of two sets of documents: score falling, then place rising."""
    if not one[0].numel():
        return other
    scores_QK, places_QK = (torch.cat(pair, 1) for pair in zip(one, other, strict=True))
    places_QK, columns = places_QK.sort(dim=1)
    scores_QK, columns = scores_QK.gather(1, columns).sort(dim=1, descending=True, stable=True)
    return scores_QK[:, :depth], places_QK.gather(1, columns)[:, :depth]


def gathered(parts: Sequence[Tensor], asked: Sequence[NDArray[np.int64]]) -> Tensor:
    """All ranks' rows in the order of the queries.

    Args:
        parts: `(Q, K)` each, of the queries in this rank's shard.
        asked: the queries that go to one rank together.
    """
    width = max(gather_objects(max(part.shape[1] for part in parts)))
    mine = torch.cat([part if len(part) else part.new_empty((0, width)) for part in parts])
    where, rows_QK = gather_shards(mine, asked)
    return torch.empty_like(rows_QK).index_copy(0, torch.from_numpy(where).to(rows_QK.device), rows_QK)


def top_k(scores_QN: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k best scores of each row and their columns, `(Q, k)` each: score falling, then column rising.

    `torch.topk` breaks ties as it likes, also at the cut; rows where the cut falls inside a tie are sorted whole.
    """
    k = min(k, scores_QN.shape[1])
    columns_QK = scores_QN.topk(k, dim=1).indices
    cut_Q1 = scores_QN.gather(1, columns_QK).amin(1, keepdim=True)
    cut_in_tie_Q = (scores_QN >= cut_Q1).sum(1) > k
    if cut_in_tie_Q.any():
        columns_QK[cut_in_tie_Q] = scores_QN[cut_in_tie_Q].sort(dim=1, descending=True, stable=True).indices[:, :k]
    columns_QK = columns_QK.sort(dim=1).values
    sorted_QK = scores_QN.gather(1, columns_QK).sort(dim=1, descending=True, stable=True)
    return sorted_QK.values, columns_QK.gather(1, sorted_QK.indices)
