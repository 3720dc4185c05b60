"""How sure a number is: paired tests, intervals over queries and seeds, Holm's correction; all draws are seeded.

U units (queries, or groups of pairs), S seeds of training, K columns, R resamples.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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


def sign_flip_columns(values_UK: ArrayLike, resamples: int = 9_999, seed: int = 42) -> NDArray[np.float64]:
    """Two-sided p-value of mean = 0 for each column, `(K,)` in (0, 1], by the same signs for all: one product, no loop.

    p = the share of sign patterns whose mean is as far from 0 as that observed. All are taken if there are no more than
    `resamples`, which gives `sign_flip_test`'s p; else so many are drawn, and the observed one counts among them:
    p = (k + 1) / (resamples + 1) (Phipson and Smyth 2010). NaN for fewer than two units.
    """
    values = _finite(values_UK)
    units, columns = values.shape
    if units < 2:
        return np.full(columns, np.nan)
    exact = 2**units <= resamples
    observed_K = np.abs(values.sum(0)) - 1e-12 * np.abs(values).sum(0)
    farther_K, patterns = (np.zeros(columns), 0) if exact else (np.ones(columns), 1)
    for signs_RU in _all_signs(units) if exact else _drawn_signs(units, resamples, seed):
        farther_K += (np.abs(signs_RU @ values) >= observed_K).sum(0)
        patterns += len(signs_RU)
    return farther_K / patterns


def resampled_means(values_UK: ArrayLike, resamples: int = 9_999, seed: int = 42) -> NDArray[np.float64]:
    """Means of each column when units are drawn with replacement, `(R, K)`.

    The draws hang on the number of units and the seed alone, so that systems over the same queries are drawn alike and
    the difference of two results is a paired bootstrap (Efron 1979).
    """
    values, rng = _finite(values_UK), np.random.default_rng(seed)
    units = len(values)
    means = np.empty((resamples, values.shape[1]))
    for start, rows in _blocks(resamples, units):
        drawn = rng.integers(units, size=(rows, units)) + units * np.arange(rows)[:, None]
        counts_RU = np.bincount(drawn.ravel(), minlength=rows * units).reshape(rows, units)
        means[start : start + rows] = counts_RU.astype(np.float64) @ values / units
    return means


def over_seeds(means_RS: ArrayLike, names: Sequence[object], seed: int = 42) -> NDArray[np.float64]:
    """Means over training seeds that are drawn with replacement too, `(R,)`: the upper level of the hierarchy.

    Seeds of the same names are drawn alike, so that two systems trained with the same seeds stay paired. With one seed,
    its column: nothing is known then of how much seeds differ.
    """
    means = np.asarray(means_RS, dtype=np.float64)
    resamples, seeds = means.shape
    spread = [seed, *(byte for name in names for byte in (*str(name).encode(), 0))]
    drawn_RS = np.random.default_rng(spread).integers(seeds, size=(resamples, seeds))
    return np.asarray(np.take_along_axis(means, drawn_RS, axis=1).mean(1))


def percentile_interval(draws_R: ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """The middle share of resampled values."""
    low, high = np.quantile(np.asarray(draws_R), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values that hold for the whole family: sorted, times as many as are left, never falling (Holm 1979)."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return [float(value) for value in adjusted]


def sample_std(values: ArrayLike) -> float | None:
    """Standard deviation of a sample, n - 1 below the line; None for fewer than two values."""
    array = np.asarray(values, dtype=np.float64)
    return float(array.std(ddof=1)) if len(array) > 1 else None


def _all_signs(units: int) -> Iterator[NDArray[np.float64]]:
    patterns = np.arange(2**units)[:, None] >> np.arange(units) & 1
    yield (2 * patterns - 1).astype(np.float64)


def _drawn_signs(units: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    for _, rows in _blocks(resamples, units):
        yield (2 * rng.integers(2, size=(rows, units), dtype=np.int8) - 1).astype(np.float64)


def _blocks(resamples: int, units: int) -> Iterator[tuple[int, int]]:
    """First row and number of rows of blocks that hold no more than `_CELLS` values."""
    rows = max(1, _CELLS // units)
    yield from ((start, min(rows, resamples - start)) for start in range(0, resamples, rows))


def _finite(values_UK: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(values_UK, dtype=np.float64)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError(f"values of shape {values.shape}: finite numbers of units and columns are needed")
    return values


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
