"""Scores of paraphrases and of near-misses by category, over their whole range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from compret.report.figures.style import COLOURS

_BINS = 30
_PARAPHRASES = {"color": COLOURS[4], "label": "paraphrases", "histtype": "stepfilled", "alpha": 0.7}
_NEAR_MISSES = {"color": COLOURS[1], "label": "near-misses", "histtype": "step", "linewidth": 1.5}


def draw(axes: Sequence[Any], paraphrases: Mapping[str, ArrayLike], near_misses: Mapping[str, ArrayLike]) -> None:
    """One axis a category: paraphrases filled, near-misses as a line; shares of each, so that heights compare.

    Args:
        paraphrases: category -> the scores of the paraphrases that it is set against.
        near_misses: category -> scores.
    """
    every = np.concatenate([np.ravel(values) for side in (paraphrases, near_misses) for values in side.values()])
    low, high = float(every.min()), float(every.max())
    edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    for axis, category in zip(axes, near_misses, strict=False):
        for side, options in ((paraphrases, _PARAPHRASES), (near_misses, _NEAR_MISSES)):
            scores = np.asarray(side[category])
            axis.hist(scores, bins=edges, weights=np.full(len(scores), 1 / max(1, len(scores))), **options)
        axis.set_title(category, fontsize=9)
        axis.tick_params(labelsize=7)
        axis.set_xlim(edges[0], edges[-1])
