"""Scores by pooled cosine alone: one vector a text."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compret.evaluation.approximate import Search, searcher
from compret.evaluation.encode import Vectors, encode
from compret.evaluation.retrieve import DEPTH
from compret.evaluation.scorer import Rankings, ScoredPairs, Scorer, Searchable
from compret.nn.encoder import TextEncoder

_PAIRS = 1 << 16
"""Pairs whose vectors are held at a time: 192 MiB at width 384."""


class CosineScorer(Scorer):
    """Pooled cosine of an encoder.

    Args:
        encoder: on its device.
        search: how documents are found: exact, or approximate by FAISS.
        threshold: see `Scorer`.
    """

    name = "cosine"

    def __init__(self, encoder: TextEncoder, search: Search = "exact", threshold: float | None = None) -> None:
        super().__init__(threshold)
        self.encoder, self.search = encoder, search
        self._rank_documents = searcher(search)

    def rank(self, texts: Searchable) -> Rankings:
        """Encode each text once, and rank all documents for each query."""
        start = time.perf_counter()
        documents = encode(self.encoder, texts.documents, "document", f"{texts.name} documents")
        queries = encode(self.encoder, texts.queries, "query", f"{texts.name} queries")
        encoded = time.perf_counter()
        ranking = self._rank_documents(queries.unit_ND, documents, texts.document_ids, DEPTH)
        run = ranking.run(texts.query_ids, texts.document_ids)
        seconds = {"encode": encoded - start, "search": time.perf_counter() - encoded}
        return Rankings(run, text_counts(documents, queries), seconds)

    def pairs(self, anchors: Sequence[str], candidates: Sequence[str], progress: str = "") -> ScoredPairs:
        """Cosine of each pair in [-1, 1]; both sides get the query prompt."""
        start = time.perf_counter()
        texts = encode(self.encoder, [*anchors, *candidates], "query", progress)
        return _scored(texts, texts, facing(len(anchors)), pair_counts(texts), start)

    def relevance(
        self, queries: Sequence[str], documents: Sequence[str], rows_P2: NDArray[np.int64], progress: str = ""
    ) -> ScoredPairs:
        start = time.perf_counter()
        left = encode(self.encoder, queries, "query", progress)
        right = encode(self.encoder, documents, "document", progress)
        return _scored(left, right, rows_P2, truncated_counts(left, right), start)

    def describe(self) -> dict[str, Any]:
        return {
            **describe_encoder(self.encoder),
            "verifier": None,
            "special_tokens": None,
            "search": self.search,
            "recall": describe_recall(self.encoder, 0.0),
        }


def _scored(
    left: Vectors, right: Vectors, rows_P2: NDArray[np.int64], counts: dict[str, int], start: float
) -> ScoredPairs:
    scores_P = pair_cosines(left, right, rows_P2).double().cpu().numpy()
    return ScoredPairs(scores_P, counts, {"encode": time.perf_counter() - start})


def describe_encoder(encoder: TextEncoder) -> dict[str, Any]:
    """What vectors follow from."""
    return {
        "backbone": encoder.name,
        "revision": encoder.revision,
        "pooling": encoder.pooling,
        "backbone_similarity": encoder.similarity,
        "max_length": encoder.max_length,
        "prompts": dict(encoder.tokenizer.prompts),
        "cpu_kernels": encoder.cpu_kernels.to_dict() if encoder.device.type == "cpu" else None,
    }


def describe_recall(encoder: TextEncoder, weight: float) -> dict[str, Any]:
    """By whose cosine documents are recalled, and what it counts beside the score."""
    return {"backbone": encoder.name, "revision": encoder.revision, "weight": weight}


def pair_cosines(left: Vectors, right: Vectors, rows_P2: NDArray[np.int64]) -> Tensor:
    """Cosine of each pair, `(P,)` float32.

    Args:
        rows_P2: a text of the left and one of the right, by their numbers.
    """
    blocks = np.split(rows_P2, range(_PAIRS, len(rows_P2), _PAIRS))
    return torch.cat([(left[rows[:, 0]] * right[rows[:, 1]]).sum(-1) for rows in blocks])


def facing(pairs: int) -> NDArray[np.int64]:
    """Numbers of the pairs of anchors and candidates that are laid end to end, `(P, 2)`."""
    numbers = np.arange(pairs)
    return np.stack([numbers, numbers + pairs], axis=1)


def text_counts(documents: Vectors, queries: Vectors) -> dict[str, int]:
    """What was done to the texts of a ranking."""
    return {
        "documents": len(documents),
        "empty_documents": documents.empty,
        "truncated_documents": documents.truncated,
        "truncated_queries": queries.truncated,
    }


def pair_counts(texts: Vectors) -> dict[str, int]:
    """What was done to the texts of pairs."""
    return {"empty_texts": texts.empty, "truncated_texts": texts.truncated}


def truncated_counts(queries: Vectors, documents: Vectors) -> dict[str, int]:
    """What was done to queries and documents that are scored pair by pair."""
    return {"truncated_texts": queries.truncated + documents.truncated}
