"""An audit: what a model lets through and loses at thresholds, overall and by category, and its worst mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any, Literal

import numpy as np

from compret.evaluation.near_miss import NearMissResult, NearMissSet
from compret.evaluation.scorer import Scorer
from compret.metrics.calibration import Calibration, calibrate
from compret.metrics.decisions import Decisions, decisions, decisions_by_category
from compret.types import UserError

BUDGET = 0.05
"""Share of near-misses that a calibrated threshold accepts, where nothing else is said."""


@dataclass(frozen=True)
class Threshold:
    """At or above it two texts are called the same."""

    kind: Literal["given", "own", "calibrated"]
    """By the user, of the model's export, or fitted for this audit."""
    value: float
    source: str
    """In words: who gave it, or what it was fitted on."""


@dataclass(frozen=True)
class AtThreshold:
    """What one threshold does to the tested pairs."""

    threshold: Threshold
    all: Decisions
    categories: Mapping[str, Decisions]


@dataclass(frozen=True)
class Example:
    """A tested pair with its score."""

    anchor: str
    candidate: str
    category: str
    score: float


@dataclass(frozen=True)
class Audit:
    """The scores of the tested pairs, and what thresholds make of them."""

    result: NearMissResult
    at: Sequence[AtThreshold]
    """Those of the user, of the model and of this audit, in this order; at least one."""
    budget: float
    model: Mapping[str, Any]
    """What the scorer says of itself."""
    calibration: Mapping[str, Any] | None
    """Of the pairs that a threshold was fitted on here: name, fingerprint, near_misses, paraphrases, auroc, counts."""

    def false_accepts(self, most: int) -> list[Example]:
        """The near-misses with the highest scores, no text twice."""
        return list(islice(self._examples(0), most))

    def lost(self, most: int) -> list[Example]:
        """The paraphrases with the lowest scores, no text twice."""
        return list(islice(self._examples(1), most))

    def _examples(self, label: int) -> Iterator[Example]:
        """The pairs of a label, the worst first."""
        data, scores_P, seen = self.result.data, self.result.scores_P, set[str]()
        for row in np.argsort(scores_P if label else -scores_P, kind="stable").tolist():
            texts = data.anchors[row], data.candidates[row]
            if data.labels[row] == label and seen.isdisjoint(texts):
                seen.update(texts)
                yield Example(*texts, data.categories[row], float(scores_P[row]))

    def to_dict(self, examples: int = 20) -> dict[str, Any]:
        """What audit.json holds (see `compret.evaluation.audit_files`), but its meta."""
        return {
            "model": dict(self.model),
            "pairs": {
                "name": self.result.name,
                "fingerprint": self.result.fingerprint,
                "counts": dict(self.result.counts),
                "auroc": self.result.metrics["auroc"],
            },
            "calibration": dict(self.calibration) if self.calibration else None,
            "budget": self.budget,
            "thresholds": [asdict(at) for at in self.at],
            "worst": {
                "near_misses": [asdict(example) for example in self.false_accepts(examples)],
                "paraphrases": [asdict(example) for example in self.lost(examples)],
            },
        }


def audit(
    scorer: Scorer,
    tested: NearMissSet,
    calibration: NearMissSet | None = None,
    *,
    threshold: float | None = None,
    own: Calibration | None = None,
    budget: float = BUDGET,
    source: str = "",
) -> Audit:
    """Score labelled pairs, and count what thresholds accept of them. Equal texts are always accepted, as by a guard.

    Args:
        scorer: pooled cosine, or a verifier over it.
        tested: the pairs that are counted.
        calibration: other pairs, on which a threshold is fitted for the budget; none is fitted if None.
        threshold: the user's; a finite number.
        own: the model's own calibration, fitted when it was trained.
        budget: share of the calibration's near-misses that the fitted threshold may accept, in [0, 1).
        source: where the calibration pairs come from, in words.

    Raises:
        UserError: there is no threshold at all, or the calibration pairs are the tested ones or lack a label.
    """
    found = [] if threshold is None else [Threshold("given", threshold, "yours")]
    if own is not None:
        found.append(Threshold("own", own.threshold, f"the model's own, {_accepts(own, 'its validation')}"))
    facts = None
    if calibration is not None:
        fitted, facts = _calibrated(scorer, tested, calibration, budget)
        found.append(
            Threshold("calibrated", fitted.threshold, f"calibrated, {_accepts(fitted, source or calibration.name)}")
        )
    if not found:
        raise UserError("audit: no threshold; give one, or pairs to calibrate one on")
    result = replace(tested, validation=None).evaluate(scorer)
    return Audit(result, [_at(each, result) for each in found], budget, scorer.describe(), facts)


def _accepts(calibration: Calibration, pairs: str) -> str:
    return f"accepts at most {100 * calibration.false_accept_rate:g} % of the near-misses of {pairs}"


def _calibrated(
    scorer: Scorer, tested: NearMissSet, pairs: NearMissSet, budget: float
) -> tuple[Calibration, dict[str, Any]]:
    """What other pairs teach about the scores, and what they are."""
    if pairs.fingerprint == tested.fingerprint:
        raise UserError(f"{pairs.name}: a threshold cannot be calibrated on the tested pairs; give others")
    result = replace(pairs, validation=None).evaluate(scorer)
    fitted = calibrate(*result.labelled, budget)
    if fitted is None:
        raise UserError(f"{pairs.name}: a threshold needs calibration pairs of both labels")
    paraphrases = int(sum(pairs.labels))
    return fitted, {
        "name": pairs.name,
        "fingerprint": pairs.fingerprint,
        "near_misses": len(pairs.labels) - paraphrases,
        "paraphrases": paraphrases,
        "auroc": fitted.validation_auroc,
        "counts": dict(result.counts),
    }


def _at(threshold: Threshold, result: NearMissResult) -> AtThreshold:
    data = result.data
    equal_P = np.array([a == c for a, c in zip(data.anchors, data.candidates, strict=True)], dtype=bool)
    accepted_P = (result.scores_P >= threshold.value) | equal_P
    by_category = decisions_by_category(accepted_P, data.labels, data.categories)
    return AtThreshold(threshold, decisions(accepted_P, data.labels), by_category)
