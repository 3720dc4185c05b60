"""Paired accuracy of NevIR (Weller et al. 2024, arXiv 2305.07614): P pairs of queries and documents, float64."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def paired_accuracy(scores: ArrayLike) -> float | None:
    """Share of pairs in which both queries rank their own document above the other's, in [0, 1], chance 0.25.

    Equal scores are no ranking and count as wrong. None without a pair.

    Args:
        scores: `(P, 2, 2)`, of query i (axis 1) with document j (axis 2); document i answers query i.

    Raises:
        ValueError: another shape, or a score is not finite.
    """
    scores_P22 = np.asarray(scores, dtype=np.float64)
    if scores_P22.ndim != 3 or scores_P22.shape[1:] != (2, 2):
        raise ValueError(f"scores of shape {scores_P22.shape}, not (P, 2, 2)")
    if not np.isfinite(scores_P22).all():
        raise ValueError("scores must be finite numbers")
    first_P = scores_P22[:, 0, 0] > scores_P22[:, 0, 1]
    second_P = scores_P22[:, 1, 1] > scores_P22[:, 1, 0]
    return float((first_P & second_P).mean()) if len(scores_P22) else None
