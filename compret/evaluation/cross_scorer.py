"""Scores by a cross-encoder: it orders anew what pooled cosine recalls, and reads both texts of a pair at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compret.distributed import world_size
from compret.evaluation.approximate import Search, searcher
from compret.evaluation.cosine_scorer import (
    describe_encoder,
    describe_recall,
    facing,
    pair_cosines,
    pair_counts,
    truncated_counts,
)
from compret.evaluation.encode import Vectors, check_scores, encode, evaluating, progress_bar
from compret.evaluation.rerank import sharded
from compret.evaluation.retrieve import DEPTH, Ranking
from compret.evaluation.scorer import ScoredPairs
from compret.evaluation.two_stages import TwoStageScorer
from compret.nn.cross_encoder import CrossTransformer
from compret.nn.encoder import TextEncoder
from compret.nn.joint_tokens import TextIds
from compret.types import Kind


@dataclass(frozen=True)
class Texts:
    """Texts as both stages need them."""

    ids: TextIds
    vectors: Vectors


class CrossScorer(TwoStageScorer[Texts]):
    """A cross-encoder behind a recall stage by pooled cosine.

    Args:
        encoder: recalls, and gives the cosine that the cross-encoder sees; on its device.
        cross: on the same.
        search: how documents are recalled: exact, or approximate by FAISS.
        recall_weight: of the cosine, added to the score.
        threshold: see `Scorer`.
    """

    name = "cross_encoder"

    def __init__(
        self,
        encoder: TextEncoder,
        cross: CrossTransformer,
        search: Search = "exact",
        recall_weight: float = 0.0,
        threshold: float | None = None,
    ) -> None:
        super().__init__(threshold)
        self.encoder, self.cross, self.search, self.recall_weight = encoder, cross, search, recall_weight
        self._rank_documents = searcher(search)

    def pairs(self, anchors: Sequence[str], candidates: Sequence[str], progress: str = "") -> ScoredPairs:
        """The mean of the two scores of (anchor, candidate) and (candidate, anchor); both get the query prompt."""
        start = time.perf_counter()
        texts, rows_P2 = self.index([*anchors, *candidates], "query", progress), facing(len(anchors))
        cosine_P = pair_cosines(texts.vectors, texts.vectors, rows_P2)
        forth_P, back_P = (self._scores(texts, texts, rows, cosine_P, progress) for rows in (rows_P2, rows_P2[:, ::-1]))
        scores_P = (forth_P + back_P) / 2 + self.recall_weight * cosine_P
        return _scored(scores_P, pair_counts(texts.vectors), start)

    def relevance(
        self, queries: Sequence[str], documents: Sequence[str], rows_P2: NDArray[np.int64], progress: str = ""
    ) -> ScoredPairs:
        start = time.perf_counter()
        left, right = self.index(queries, "query", progress), self.index(documents, "document", progress)
        cosine_P = pair_cosines(left.vectors, right.vectors, rows_P2)
        scores_P = self._scores(left, right, rows_P2, cosine_P, progress) + self.recall_weight * cosine_P
        return _scored(scores_P, truncated_counts(left.vectors, right.vectors), start)

    def index(self, texts: Sequence[str], kind: Kind, progress: str = "") -> Texts:
        ids = TextIds.of(self.encoder.tokenizer(texts, kind).ids).to(self.encoder.device)
        return Texts(ids, encode(self.encoder, texts, kind, progress))

    def vectors(self, indexed: Texts) -> Vectors:
        return indexed.vectors

    def recalled(self, queries: Texts, documents: Texts, ids: Sequence[str], depth: int = DEPTH) -> Ranking:
        return self._rank_documents(queries.vectors.unit_ND, documents.vectors, ids, depth)

    def reranked(self, queries: Texts, documents: Texts, recalled: Ranking, progress: str = "") -> Ranking:
        """The recalled documents by falling score, then by id."""
        rows_QK, columns_QK = recalled.rows_QK.sort(dim=1)
        cosines_QK = recalled.scores_QK.gather(1, columns_QK)
        found_QK = recalled.by_id[rows_QK.cpu().numpy()]
        rows_P2 = np.stack([np.repeat(np.arange(len(found_QK)), found_QK.shape[1]), found_QK.ravel()], axis=1)
        scores_P = self._scores(queries, documents, rows_P2, cosines_QK.flatten(), progress and f"{progress} rerank")
        scores_QK = scores_P.view_as(cosines_QK) + self.recall_weight * cosines_QK
        best = scores_QK.sort(dim=1, descending=True, stable=True)
        return Ranking(best.values, rows_QK.gather(1, best.indices), recalled.by_id)

    @torch.inference_mode()
    def _scores(self, left: Texts, right: Texts, rows_P2: NDArray[np.int64], cosine_P: Tensor, progress: str) -> Tensor:
        """The cross-encoder's score of each pair, `(P,)`; ranks share the blocks of pairs."""
        order = np.argsort(self.cross.joiner.lengths(left.ids, right.ids, rows_P2), kind="stable")
        bar = progress_bar(len(order), progress, "pair")

        def score(block: NDArray[np.int64]) -> Tensor:
            cosines = cosine_P[torch.from_numpy(block).to(cosine_P.device)]
            scores = self.cross.score(left.ids, right.ids, rows_P2[block], cosines)
            bar.update(len(block) * world_size())
            return scores

        with evaluating(self.cross):
            scores_P = sharded(order, score)
        bar.close()
        check_scores(scores_P, self.encoder, f"{progress or 'pairs'} scored by the cross-encoder")
        return scores_P

    def describe(self) -> dict[str, Any]:
        return {
            **describe_encoder(self.encoder),
            "verifier": {"class_path": "compret.nn.cross_encoder.CrossTransformer", "init_args": {}},
            "special_tokens": True,
            "search": self.search,
            "recall": describe_recall(self.encoder, self.recall_weight),
        }


def _scored(scores_P: Tensor, counts: dict[str, int], start: float) -> ScoredPairs:
    return ScoredPairs(scores_P.double().cpu().numpy(), counts, {"encode and read": time.perf_counter() - start})
