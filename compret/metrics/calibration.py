"""From scores to decisions: a threshold at a chosen false-accept rate, and probabilities by a fitted sigmoid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from compret.metrics.near_miss import auroc, checked

_FLATTEST = 100.0
"""The largest temperature, and the farthest shift from the mean, in standard deviations of the validation scores."""


@dataclass(frozen=True)
class Calibration:
    """What validation pairs taught about a verifier's scores; it travels with the weights."""

    threshold: float
    """At or above it, two texts are taken for the same."""
    false_accept_rate: float
    """Share of the validation near-misses that the threshold accepts, at most."""
    temperature: float
    """Of the sigmoid, in units of the score: above 0, at most 100 standard deviations of the validation scores."""
    shift: float
    """The score that means undecided."""
    validation_auroc: float | None = None
    """How well the validation scores tell the labels apart, in [0, 1]: at 0.5 not at all, and no threshold helps."""

    def accepts(self, score: float) -> bool:
        return score >= self.threshold

    def probability(self, score: float) -> float:
        """That the pair is the same, in (0, 1): sigmoid((score - shift) / temperature)."""
        return float(0.5 * (1 + np.tanh((score - self.shift) / self.temperature / 2)))


def calibrate(scores: ArrayLike, labels: ArrayLike, false_accept_rate: float) -> Calibration | None:
    """Fit both on validation pairs; None unless both labels occur.

    The threshold is the lowest that accepts at most the given share of the near-misses, half-way to the next score
    below it. The sigmoid minimises the cross-entropy: temperature scaling (Guo et al. 2017, arXiv 1706.04599) with a
    shift, since cosines do not lie around 0 (Platt 1999); both are bounded, since scores that do not separate, or
    separate wholly, have no best ones.

    Args:
        scores: `(P,)`, higher for surer the same.
        labels: `(P,)`, 1 for the same, 0 for a near-miss.
        false_accept_rate: in [0, 1).
    """
    from scipy.optimize import minimize

    scores_P, labels_P = checked(scores, labels, "scores")
    if len(set(labels_P.tolist())) < 2:
        return None
    negatives = np.sort(scores_P[labels_P == 0])[::-1]
    allowed = int(np.floor(false_accept_rate * len(negatives)))
    highest_refused = negatives[allowed]
    above = scores_P[scores_P > highest_refused]
    nearest = above.min() if len(above) else highest_refused + max(1e-6, abs(highest_refused) * 1e-6)
    spread = max(float(scores_P.std()), 1e-6)

    def loss(parameters: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        shift, scale = parameters[0] * spread + scores_P.mean(), np.exp(parameters[1]) / spread
        return float(np.logaddexp(0, np.where(labels_P == 1, -1, 1) * (scores_P - shift) * scale).mean())

    steepest = np.log(_FLATTEST)
    bounds = [(-_FLATTEST, _FLATTEST), (-steepest, steepest)]
    fitted = minimize(loss, np.zeros(2), method="Nelder-Mead", bounds=bounds).x
    return Calibration(
        threshold=float((nearest + highest_refused) / 2),
        false_accept_rate=false_accept_rate,
        temperature=float(spread / np.exp(fitted[1])),
        shift=float(fitted[0] * spread + scores_P.mean()),
        validation_auroc=auroc(scores_P, labels_P),
    )
