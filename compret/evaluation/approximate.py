"""Approximate search by FAISS, for corpora where exact search takes too long: a graph of near neighbours (HNSW)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from compret.distributed import shard
from compret.evaluation.retrieve import DEPTH, DOCUMENTS, Ranking, Rows, Searcher, gathered, rank_documents
from compret.types import UserError

Search: TypeAlias = Literal["exact", "faiss"]
_NEIGHBOURS, _BUILD, _LOOK = 32, 200, 256
"""Edges of a document; candidates looked at when one is added, and when a query is asked."""


def searcher(search: Search) -> Searcher:
    """The function that ranks documents for queries.

    Raises:
        UserError: FAISS is not installed.
    """
    if search == "exact":
        return rank_documents
    _faiss()
    return rank_approximately


def rank_approximately(
    queries_QD: Tensor, documents: Rows, ids: Sequence[str], depth: int = DEPTH, block: int = DOCUMENTS
) -> Ranking:
    """What `rank_documents` gives, but for some of the best documents that the graph does not lead to.

    Malkov and Yashunin 2016, arXiv 1603.09320. Every rank builds the whole graph and asks it its share of the queries:
    graphs that several threads build differ, so that only what was gathered is the same on all ranks.

    Args:
        documents: N unit vectors, as for `rank_documents`.
        block: documents whose vectors are read at a time; the graph holds all of them in memory.
    """
    index = _faiss().IndexHNSWFlat(queries_QD.shape[1], _NEIGHBOURS, _faiss().METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = _BUILD, max(_LOOK, 2 * depth)
    by_id = np.argsort(np.array(ids, dtype=object), kind="stable")
    for start in range(0, len(ids), block):
        index.add(documents[by_id[start : start + block]].float().cpu().numpy())
    asked = [np.array([query]) for query in range(len(queries_QD))]
    mine = queries_QD[list(shard(range(len(asked))))].float().cpu().numpy()
    scores, places = index.search(mine, min(depth, len(ids)))
    order = np.lexsort((places, -scores))
    sorted_QK = (np.take_along_axis(found, order, 1) for found in (scores, places))
    scores_QK, rows_QK = (gathered([torch.from_numpy(x).to(queries_QD.device)], asked) for x in sorted_QK)
    if (rows_QK < 0).any():  # a graph led to fewer documents than were asked for
        return rank_documents(queries_QD, documents, ids, depth, block)
    return Ranking(scores_QK, rows_QK, by_id)


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise UserError("search faiss: not installed; pip install 'compret[faiss]', or search exact") from error
    return faiss
