"""Two stages: recall by pooled cosine, then a verifier's order of what was recalled."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from compret.distributed import gather_shards, shard, world_size
from compret.evaluation.encode import Vectors, check_scores, encode, progress_bar
from compret.evaluation.results import NearMissResult, RecallStage, RetrievalResult
from compret.evaluation.retrieve import Ranking, Searcher, count_texts, rank_documents
from compret.evaluation.separate import near_miss_result, pair_cosines
from compret.evaluation.tokens import TokenIndex, encode_tokens
from compret.metrics.ranking import ranking_scores
from compret.nn.encoder import TextEncoder
from compret.nn.pair_scoring import score_all, score_pairs
from compret.nn.verifiers import Verifier
from compret.types import Kind, NearMissSet, RetrievalSet

_PAIRS = 1024
"""Pairs that a rank scores at a time; the same ones whatever the number of ranks."""


@dataclass(frozen=True)
class Recall:
    """Whose pooled cosine recalls documents for a verifier, and how much it counts beside the verifier's score.

    An encoder that is trained for the verifier's maps recalls worse than before; another may do that in its place.
    """

    encoder: TextEncoder | None = None
    """The verifier's own if None."""
    weight: float = 0.0
    """Documents and pairs are scored by verifier + weight * cosine."""

    def vectors(self, texts: Sequence[str], kind: Kind, index: TokenIndex, progress: str = "") -> Vectors:
        """Pooled vectors of texts that the verifier's own encoder has indexed."""
        return index.vectors if self.encoder is None else encode(self.encoder, texts, kind, progress)


def evaluate_two_stages(
    encoder: TextEncoder,
    verifier: Verifier,
    data: RetrievalSet,
    special_tokens: bool = True,
    search: Searcher | None = None,
    recall: Recall = Recall(),
) -> RetrievalResult:
    """Recall the best 100 documents by pooled cosine, order them anew by the verifier, and score both rankings.

    Args:
        search: recalls them; exactly, if not given.
        recall: by which encoder's cosine, and what that counts beside the verifier.
    """
    start = time.perf_counter()
    documents = encode_tokens(encoder, data.documents, "document", special_tokens, f"{data.name} documents")
    queries = encode_tokens(encoder, data.queries, "query", special_tokens, f"{data.name} queries")
    recalling = recall.vectors(data.documents, "document", documents, f"{data.name} documents, recall")
    asked = recall.vectors(data.queries, "query", queries, f"{data.name} queries, recall")
    encoded = time.perf_counter()
    recalled = (search or rank_documents)(asked.unit_ND, recalling, data.document_ids)
    searched = time.perf_counter()
    reranked = rerank(verifier, queries, documents, recalled, data.name, recall.weight)
    check_scores(reranked.scores_QK, encoder, f"{data.name} re-ranked by {type(verifier).__name__}")
    runs = [ranking.run(data) for ranking in (recalled, reranked)]
    first, second = (ranking_scores(run, data.qrels, graded=False) for run in runs)
    seconds = {"encode": encoded - start, "search": searched - encoded, "rerank": time.perf_counter() - searched}
    return RetrievalResult(
        data.name,
        data.suite,
        second,
        runs[1],
        data.qrels,
        count_texts(data, documents.vectors, queries.vectors),
        seconds,
        data.fingerprint,
        RecallStage(first, runs[0]),
        "verifier",
    )


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


def evaluate_pairs(
    encoder: TextEncoder,
    verifier: Verifier,
    data: NearMissSet,
    threshold: float | None,
    special_tokens: bool = True,
    recall: Recall = Recall(),
) -> NearMissResult:
    """Score each labelled pair by the verifier; f1 is that of the given threshold."""
    start = time.perf_counter()
    pairs = (data.anchors, data.candidates)
    scores_P, counts = verifier_scores(encoder, verifier, *pairs, special_tokens, recall, data.name)
    seconds = {"encode and verify": time.perf_counter() - start}
    return near_miss_result(data, scores_P, threshold, counts, seconds, "verifier")


@torch.inference_mode()
def verifier_scores(
    encoder: TextEncoder,
    verifier: Verifier,
    anchors: Sequence[str],
    candidates: Sequence[str],
    special_tokens: bool = True,
    recall: Recall = Recall(),
    progress: str = "",
) -> tuple[NDArray[np.float64], dict[str, int]]:
    """The score of each pair, `(P,)`, and counts of the texts: what tests, calibration and the guard call its score.

    Sameness has no direction: both sides get the query prompt, and the score is the mean of the verifier's two, of
    (anchor, candidate) and (candidate, anchor).

    Args:
        recall: its encoder's cosine is added if it has a weight.
    """
    both, pairs = [*anchors, *candidates], len(anchors)
    texts = encode_tokens(encoder, both, "query", special_tokens, progress)
    numbers = np.arange(pairs)
    forward_P2 = np.stack([numbers, numbers + pairs], axis=1)
    both_ways = [
        paired_scores(verifier, texts, texts, way, encoder.device) for way in (forward_P2, forward_P2[:, ::-1])
    ]
    scores_P = (both_ways[0] + both_ways[1]) / 2
    if recall.weight:
        scores_P += recall.weight * pair_cosines(
            recall.vectors(both, "query", texts, progress and f"{progress}, recall")
        )
    check_scores(scores_P, encoder, f"{progress or 'pairs'} scored by {type(verifier).__name__}")
    counts = {"pairs": pairs, "empty_texts": texts.vectors.empty, "truncated_texts": texts.vectors.truncated}
    return scores_P.double().cpu().numpy(), counts


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
    blocks = [order[start : start + _PAIRS] for start in range(0, len(order), _PAIRS)]
    mine = [torch.zeros(0, device=device)]
    for block in shard(blocks):
        mine.append(score_pairs(verifier, left.states, right.states, rows_P2[block].tolist(), device))
    where, scores_P = gather_shards(torch.cat(mine), blocks)
    return torch.empty_like(scores_P).index_copy(0, torch.from_numpy(where).to(scores_P.device), scores_P)
