"""Separation of near-misses from paraphrases by pooled cosine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compret.evaluation.encode import Vectors, encode
from compret.evaluation.results import NearMissResult
from compret.metrics.near_miss import best_f1_threshold, jaccard, near_miss_metrics
from compret.nn.encoder import TextEncoder
from compret.types import NearMissSet

_PAIRS = 1 << 16
"""Pairs whose vectors are held at a time: 192 MiB at width 384."""


def evaluate_near_misses(encoder: TextEncoder, data: NearMissSet, threshold: float | None) -> NearMissResult:
    """Score each pair by the cosine of its pooled vectors; f1 is that of the given threshold."""
    start = time.perf_counter()
    scores_P, counts = pooled_cosines(encoder, data.anchors, data.candidates, data.name)
    return near_miss_result(data, scores_P, threshold, counts, {"encode": time.perf_counter() - start})


def near_miss_result(
    data: NearMissSet,
    scores_P: NDArray[np.float64],
    threshold: float | None,
    counts: Mapping[str, int],
    seconds: Mapping[str, float],
    score: str = "cosine",
) -> NearMissResult:
    """All metrics of scored pairs."""
    overlap_P = np.array([jaccard(a, c) for a, c in zip(data.anchors, data.candidates, strict=True)])
    metrics = near_miss_metrics(scores_P, np.array(data.labels), data.categories, data.anchors, overlap_P, threshold)
    return NearMissResult(data.name, metrics, data, scores_P, {**data.counts, **counts}, seconds, score)


def pooled_cosines(
    encoder: TextEncoder, anchors: Sequence[str], candidates: Sequence[str], progress: str = ""
) -> tuple[NDArray[np.float64], dict[str, int]]:
    """Cosine of each pair in [-1, 1], `(P,)`, and counts of the texts; both sides get the query prompt."""
    vectors = encode(encoder, [*anchors, *candidates], "query", progress)
    counts = {"pairs": len(anchors), "empty_texts": vectors.empty, "truncated_texts": vectors.truncated}
    return pair_cosines(vectors).double().cpu().numpy(), counts


def pair_cosines(vectors: Vectors) -> Tensor:
    """Cosine of each text of the first half with its partner in the second, `(P,)`."""
    pairs = len(vectors) // 2
    blocks = np.split(np.arange(pairs), range(_PAIRS, pairs, _PAIRS))
    return torch.cat([(vectors[rows] * vectors[rows + pairs]).sum(-1) for rows in blocks])


def best_threshold(encoder: TextEncoder, validation: NearMissSet) -> float | None:
    """The cosine above which calling a pair the same gives the best F1 on the validation pairs."""
    scores_P, _ = pooled_cosines(encoder, validation.anchors, validation.candidates, validation.name)
    return best_f1_threshold(scores_P, np.array(validation.labels))
