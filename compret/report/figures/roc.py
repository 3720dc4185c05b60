"""ROC by system, with the operating point of each that has a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compret.report.figures.style import MARKERS, line


@dataclass(frozen=True)
class Scored:
    """A system's scores of labelled pairs."""

    name: str
    scores_P: NDArray[np.float64]
    labels_P: NDArray[np.int64]
    threshold: float | None
    probabilities_P: NDArray[np.float64] | None = None
    """What the scores mean by the model's own calibration, if the run has kept it."""


def curve(scored: Scored) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of near-misses and of paraphrases at or above each score, highest first, from (0, 0) to (1, 1)."""
    order = np.argsort(-scored.scores_P, kind="stable")
    labels, falling = scored.labels_P[order], scored.scores_P[order]
    last = np.append(falling[:-1] > falling[1:], True).nonzero()[0]
    false, true = (np.cumsum(labels == label)[last] / max(1, int((labels == label).sum())) for label in (0, 1))
    return np.insert(false, 0, 0.0), np.insert(true, 0, 0.0)


def operating_point(scored: Scored) -> tuple[float, float] | None:
    """Shares of near-misses and of paraphrases that are accepted at the threshold."""
    if scored.threshold is None:
        return None
    accepted = scored.scores_P >= scored.threshold
    return float(accepted[scored.labels_P == 0].mean()), float(accepted[scored.labels_P == 1].mean())


def draw(axes: Any, systems: list[Scored]) -> None:
    """Draw into axes."""
    axes.plot([0, 1], [0, 1], color="0.6", linestyle=":", linewidth=1)
    for number, scored in enumerate(systems):
        axes.plot(*curve(scored), label=scored.name, linewidth=1.5, **line(number))
        point = operating_point(scored)
        if point:
            axes.plot(*point, MARKERS[number % len(MARKERS)], color=line(number)["color"], markersize=6)
    axes.set(xlabel="near-misses accepted", ylabel="paraphrases accepted", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.set_aspect("equal")
