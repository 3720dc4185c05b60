"""Paired comparison of two systems over the same queries or datasets: a test and an interval, both seeded."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_CELLS = 1 << 22
"""Resampled values held at a time: 32 MiB."""


def sign_flip_test(a: ArrayLike, b: ArrayLike, resamples: int = 9_999, seed: int = 42) -> float | None:
    """Two-sided p-value of mean(a - b) = 0, in (0, 1], if each difference is as likely to have the other sign.

    p = twice the smaller of the shares of sign patterns with a mean at least, or at most, that observed (Fisher 1935).
    All 2^n patterns are taken if there are no more than `resamples`; else so many are drawn, and the observed one
    counts among them: p = 2 (k + 1) / (resamples + 1) (Phipson and Smyth 2010). None for fewer than two pairs.
    """
    from scipy.stats import permutation_test

    difference = _difference(a, b)
    if len(difference) < 2:
        return None
    found = permutation_test(
        (difference,),
        _rounded_mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, _CELLS // len(difference)),
        rng=np.random.default_rng(seed),
    )
    return float(found.pvalue)


def difference_interval(
    a: ArrayLike, b: ArrayLike, confidence: float = 0.95, resamples: int = 9_999, seed: int = 42
) -> tuple[float, float] | None:
    """Bootstrap percentile interval of mean(a - b), pairs drawn with replacement (Efron 1979).

    None for fewer than two pairs.
    """
    from scipy.stats import bootstrap

    difference = _difference(a, b)
    if len(difference) < 2:
        return None
    found = bootstrap(
        (difference,),
        np.mean,
        vectorized=True,
        confidence_level=confidence,
        n_resamples=resamples,
        batch=max(1, _CELLS // len(difference)),
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


def _rounded_mean(values: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    """To twelve digits, so that patterns with equal sums are equal, in whatever order they were added."""
    return np.asarray(np.mean(values, axis=axis), dtype=np.float64).round(12) + 0.0


def _difference(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"paired values of shapes {first.shape} and {second.shape}")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("paired values must be finite numbers")
    return first - second
