"""A verifier over indexed texts: its order of what was recalled, and its scores of pairs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from compret.distributed import gather_shards, shard, world_size
from compret.evaluation.encode import progress_bar
from compret.evaluation.retrieve import Ranking
from compret.evaluation.tokens import TokenIndex
from compret.nn.pair_scoring import score_all, score_pairs
from compret.nn.verifiers import Verifier

_PAIRS = 1024
"""Pairs that a rank scores at a time; the same ones whatever the number of ranks."""


@torch.inference_mode()
def rerank(
    verifier: Verifier,
    queries: TokenIndex,
    documents: TokenIndex,
    recalled: Ranking,
    progress: str = "",
    weight: float = 0.0,
) -> Ranking:
    """The recalled documents of each query by falling verifier score, then by id; documents are not encoded again.

    Args:
        weight: of the score that recalled a document, added to the verifier's.
    """
    rows_QK, columns_QK = recalled.rows_QK.sort(dim=1)
    device, asked = rows_QK.device, list(range(len(rows_QK)))
    bar = progress_bar(len(asked), progress and f"{progress} rerank", "query")
    mine = [recalled.scores_QK[:0]]
    for query in shard(asked):
        found = documents[recalled.by_id[rows_QK[query].cpu().numpy()].tolist()].to(device)
        mine.append(score_all(verifier, queries[[query]].to(device), found))
        bar.update(world_size())
    bar.close()
    where, scores = gather_shards(torch.cat(mine), [np.array([query]) for query in asked])
    scores_QK = torch.empty_like(scores).index_copy(0, torch.from_numpy(where).to(device), scores)
    scores_QK += weight * recalled.scores_QK.gather(1, columns_QK)
    best = scores_QK.sort(dim=1, descending=True, stable=True)
    return Ranking(best.values, rows_QK.gather(1, best.indices), recalled.by_id)


@torch.inference_mode()
def paired_scores(
    verifier: Verifier, left: TokenIndex, right: TokenIndex, pairs_P2: NDArray[np.int64], device: torch.device
) -> torch.Tensor:
    """The verifier's score of each pair, `(P,)`; ranks share the blocks of pairs.

    Args:
        pairs_P2: a text of the left index and one of the right, by their numbers.
    """
    sides = ((left, pairs_P2[:, 0]), (right, pairs_P2[:, 1]))
    rows_P2 = np.stack([index.rows_N[texts] for index, texts in sides], axis=1)
    lengths_P2 = np.stack([np.array(index.states.lengths)[index.rows_N[texts]] for index, texts in sides], axis=1)
    order = np.lexsort((lengths_P2[:, 0], lengths_P2.prod(1)))
    return sharded(
        order, lambda block: score_pairs(verifier, left.states, right.states, rows_P2[block].tolist(), device)
    )


def sharded(order: NDArray[np.int64], score: Callable[[NDArray[np.int64]], torch.Tensor]) -> torch.Tensor:
    """Scores of P pairs, `(P,)`, in the order of their numbers; ranks share blocks of them.

    Args:
        order: the pairs' numbers, those that cost alike beside each other.
        score: the scores of a block of pairs, on this rank.
    """
    blocks = [order[start : start + _PAIRS] for start in range(0, len(order), _PAIRS)]
    mine = [score(order[:0]), *map(score, shard(blocks))]
    where, scores_P = gather_shards(torch.cat(mine), blocks)
    return torch.empty_like(scores_P).index_copy(0, torch.from_numpy(where).to(scores_P.device), scores_P)
