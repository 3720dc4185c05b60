"""Even labels: rows of labelled pairs as strata, so that both labels are drawn as often, at equal overlap if asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BINS = 10
"""Of equal width, from no word in common to all."""


@dataclass(frozen=True)
class Stratum:
    """Rows of one source that are drawn in one proportion."""

    source: int
    rows: NDArray[np.int64]
    share: float
    """Of the rows that are drawn of the source."""


def even_strata(
    source: int, rows: NDArray[np.int64], labels_R: NDArray[np.bool_], overlap_R: NDArray[np.float64] | None = None
) -> list[Stratum]:
    """The rows of each label, half of what is drawn each; all as one stratum where there is one label alone.

    Args:
        labels_R: True for a pair that says the same.
        overlap_R: word overlap of each pair in [0, 1]. Both labels are then drawn alike in each tenth of it, in
            proportion to the rarer label there; rows of a tenth that has one label alone are in no stratum.
    """
    if labels_R.all() or not labels_R.any():
        return [Stratum(source, rows, 1.0)]
    overlap_R = np.zeros(len(rows)) if overlap_R is None else overlap_R
    bins_R = np.minimum((overlap_R * _BINS).astype(np.int64), _BINS - 1)
    parts = [(rows[labels_R & (bins_R == b)], rows[~labels_R & (bins_R == b)]) for b in range(_BINS)]
    rarer = [min(map(len, part)) for part in parts]
    return [
        Stratum(source, part, count / (2 * sum(rarer)))
        for count, both in zip(rarer, parts, strict=True)
        for part in both
        if count
    ]
