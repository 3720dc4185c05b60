"""Bench: asks one scorer about sets one after the other and holds their results; fit, test and the API share it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compret.evaluation.result import EvaluationSet, Result
from compret.evaluation.results import Results
from compret.evaluation.scorer import Scorer
from compret.metrics.calibration import Calibration, calibrate


class Bench:
    """Results of one scorer on any number of sets.

    Args:
        scorer: gives the sets their numbers.
        baselines: also measure what needs no model and takes a while; for tests, not for validation.
    """

    def __init__(self, scorer: Scorer, baselines: bool = False) -> None:
        self.scorer, self.baselines = scorer, baselines
        self.found: list[Result] = []
        self._origins: dict[str, object] = {}

    def run(self, data: EvaluationSet) -> None:
        """Evaluate one set."""
        result = data.evaluate(self.scorer)
        self.found.append(result.with_baselines() if self.baselines else result)
        self._origins |= data.origin

    def results(self, meta: Mapping[str, Any]) -> Results:
        """All that was run, with the data's origins, fingerprints and counts added to `meta`."""
        return Results({**meta, "origins": self._origins}, self.found)

    def calibration(self, false_accept_rate: float) -> Calibration | None:
        """Fitted on all labelled pairs that were run, which must be validation pairs; None without both labels."""
        labelled = [result.labelled for result in self.found]
        scores, labels = ([x for part in labelled for x in part[side]] for side in (0, 1))
        return calibrate(scores, labels, false_accept_rate) if labels else None
