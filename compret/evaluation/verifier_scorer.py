"""Scores by a verifier: it orders anew what pooled cosine recalls, and scores pairs by their similarity maps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compret.evaluation.approximate import Search, searcher
from compret.evaluation.cosine_scorer import (
    describe_encoder,
    describe_recall,
    facing,
    pair_cosines,
    pair_counts,
    truncated_counts,
)
from compret.evaluation.encode import Vectors, check_scores, encode
from compret.evaluation.rerank import paired_scores, rerank
from compret.evaluation.retrieve import DEPTH, Ranking
from compret.evaluation.scorer import ScoredPairs
from compret.evaluation.tokens import TokenIndex, encode_tokens
from compret.evaluation.two_stages import TwoStageScorer
from compret.nn.encoder import TextEncoder
from compret.nn.verifiers import Verifier
from compret.nn.verifiers.description import describe
from compret.types import Kind


@dataclass(frozen=True)
class Recall:
    """Whose pooled cosine recalls documents for a verifier, and how much it counts beside the verifier's score.

    An encoder that is trained for the verifier's maps recalls worse than before; another may do that in its place.
    """

    encoder: TextEncoder | None = None
    """The verifier's own if None."""
    weight: float = 0.0
    """Documents and pairs are scored by verifier + weight * cosine."""


@dataclass(frozen=True)
class Index:
    """Texts as both stages need them."""

    tokens: TokenIndex
    """For the verifier."""
    recalling: Vectors
    """For the recall stage."""


class VerifierScorer(TwoStageScorer[Index]):
    """A verifier over the token states of an encoder, behind a recall stage.

    Args:
        encoder: on its device.
        verifier: on the same.
        special_tokens: keep the states of special tokens in the verifier's maps.
        search: how documents are recalled: exact, or approximate by FAISS.
        recall: by which encoder's cosine, and what that counts beside the verifier.
        threshold: see `Scorer`.
    """

    name = "verifier"

    def __init__(
        self,
        encoder: TextEncoder,
        verifier: Verifier,
        special_tokens: bool = True,
        search: Search = "exact",
        recall: Recall = Recall(),
        threshold: float | None = None,
    ) -> None:
        super().__init__(threshold)
        self.encoder, self.verifier, self.special_tokens = encoder, verifier, special_tokens
        self.search, self.recall = search, recall
        self._rank_documents = searcher(search)

    def index(self, texts: Sequence[str], kind: Kind, progress: str = "") -> Index:
        """Encode texts, each once, for both stages."""
        tokens = encode_tokens(self.encoder, texts, kind, self.special_tokens, progress)
        if self.recall.encoder is None:
            return Index(tokens, tokens.vectors)
        return Index(tokens, encode(self.recall.encoder, texts, kind, progress and f"{progress}, recall"))

    def vectors(self, indexed: Index) -> Vectors:
        return indexed.tokens.vectors

    def recalled(self, queries: Index, documents: Index, ids: Sequence[str], depth: int = DEPTH) -> Ranking:
        """The best documents by pooled cosine."""
        return self._rank_documents(queries.recalling.unit_ND, documents.recalling, ids, depth)

    def reranked(self, queries: Index, documents: Index, recalled: Ranking, progress: str = "") -> Ranking:
        """The recalled documents in the order of verifier + weight * cosine."""
        ranking = rerank(self.verifier, queries.tokens, documents.tokens, recalled, progress, self.recall.weight)
        self._check(ranking.scores_QK, f"{progress or 'texts'} re-ranked")
        return ranking

    @torch.inference_mode()
    def pairs(self, anchors: Sequence[str], candidates: Sequence[str], progress: str = "") -> ScoredPairs:
        """The mean of the verifier's two scores, of (anchor, candidate) and (candidate, anchor).

        Both sides get the query prompt. It is what tests, calibration and the guard call a pair's score.
        """
        start = time.perf_counter()
        texts, rows_P2 = self.index([*anchors, *candidates], "query", progress), facing(len(anchors))
        forth_P, back_P = (self._paired(texts, texts, rows) for rows in (rows_P2, rows_P2[:, ::-1]))
        scores_P = (forth_P + back_P) / 2 + self._recall_part(texts, texts, rows_P2)
        return self._scored(scores_P, pair_counts(texts.tokens.vectors), start, progress)

    @torch.inference_mode()
    def relevance(
        self, queries: Sequence[str], documents: Sequence[str], rows_P2: NDArray[np.int64], progress: str = ""
    ) -> ScoredPairs:
        start = time.perf_counter()
        left, right = self.index(queries, "query", progress), self.index(documents, "document", progress)
        scores_P = self._paired(left, right, rows_P2) + self._recall_part(left, right, rows_P2)
        counts = truncated_counts(left.tokens.vectors, right.tokens.vectors)
        return self._scored(scores_P, counts, start, progress)

    def _paired(self, left: Index, right: Index, rows_P2: NDArray[np.int64]) -> Tensor:
        return paired_scores(self.verifier, left.tokens, right.tokens, rows_P2, self.encoder.device)

    def _recall_part(self, left: Index, right: Index, rows_P2: NDArray[np.int64]) -> Tensor | float:
        """What the recalling cosine counts in a pair's score."""
        if not self.recall.weight:
            return 0.0
        return self.recall.weight * pair_cosines(left.recalling, right.recalling, rows_P2)

    def _scored(self, scores_P: Tensor, counts: dict[str, int], start: float, progress: str) -> ScoredPairs:
        self._check(scores_P, f"{progress or 'pairs'} scored")
        seconds = {"encode and verify": time.perf_counter() - start}
        return ScoredPairs(scores_P.double().cpu().numpy(), counts, seconds)

    def _check(self, scores: Tensor, what: str) -> None:
        check_scores(scores, self.encoder, f"{what} by {type(self.verifier).__name__}")

    def describe(self) -> dict[str, Any]:
        return {
            **describe_encoder(self.encoder),
            "verifier": describe(self.verifier),
            "special_tokens": self.special_tokens,
            "search": self.search,
            "recall": describe_recall(self.recall.encoder or self.encoder, self.recall.weight),
        }
