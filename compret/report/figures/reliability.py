"""Whether a score means what it says: the share of paraphrases among pairs of about one score."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compret.report.figures.roc import Scored
from compret.report.figures.style import look

_BINS = 10


def reliability(scored: Scored) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean probability and share of paraphrases of ten bins of as many pairs each, lowest score first.

    Without probabilities, the bin's place among all pairs, in (0, 1): it shows whether a higher score is surer, not
    whether it is as sure as it says.
    """
    order = np.argsort(scored.scores_P, kind="stable")
    bins = [part for part in np.array_split(order, _BINS) if len(part)]
    places_P = np.empty(len(order))
    places_P[order] = (np.arange(len(order)) + 0.5) / len(order)
    said_P = places_P if scored.probabilities_P is None else scored.probabilities_P
    return np.array([said_P[part].mean() for part in bins]), np.array([scored.labels_P[part].mean() for part in bins])


def draw(axes: Any, systems: list[Scored]) -> None:
    """Draw into axes; systems with probabilities, or systems without."""
    for number, scored in enumerate(systems):
        axes.plot(*reliability(scored), label=scored.name, linewidth=1.2, markersize=5, **look(number))
    if systems[0].probabilities_P is None:
        axes.axhline(float(systems[0].labels_P.mean()), color="0.6", linestyle=":", linewidth=1)
        axes.set_xlabel("place of the score among all, from the lowest")
    else:
        axes.plot([0, 1], [0, 1], color="0.6", linestyle=":", linewidth=1)
        axes.set_xlabel("probability of the same meaning")
    axes.set(ylabel="share of paraphrases", xlim=(0, 1), ylim=(-0.02, 1.02))
