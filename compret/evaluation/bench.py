"""Bench: runs datasets one after the other on an encoder and holds their results; fit, test and the API share it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compret.evaluation.results import NearMissResult, Results, RetrievalResult
from compret.evaluation.retrieve import evaluate_retrieval
from compret.evaluation.separate import best_threshold, evaluate_near_misses
from compret.nn.encoder import TextEncoder
from compret.types import NearMissSet, RetrievalSet


class Bench:
    """Results of one encoder on any number of datasets.

    Args:
        encoder: the model in evaluation mode, on its device.
    """

    def __init__(self, encoder: TextEncoder) -> None:
        self.encoder = encoder
        self.retrieval: list[RetrievalResult] = []
        self.near_miss: list[NearMissResult] = []
        self._origins: dict[str, object] = {}
        self._thresholds: dict[str, float | None] = {}

    @property
    def ran(self) -> bool:
        return bool(self.retrieval or self.near_miss)

    def run(self, data: RetrievalSet | NearMissSet) -> None:
        """Score one dataset."""
        self._origins |= data.origin
        if isinstance(data, RetrievalSet):
            self.retrieval.append(evaluate_retrieval(self.encoder, data))
        else:
            self.near_miss.append(evaluate_near_misses(self.encoder, data, self._threshold(data)))

    def results(self, meta: Mapping[str, Any]) -> Results:
        """All that was run, with the data's origins, fingerprints and counts added to `meta`."""
        return Results({**meta, "origins": self._origins}, self.retrieval, self.near_miss)

    def _threshold(self, data: NearMissSet) -> float | None:
        """The threshold that the validation pairs give, found once for all sets that share them."""
        if data.validation is None:
            return None
        key = data.validation.fingerprint
        if key not in self._thresholds:
            self._thresholds[key] = best_threshold(self.encoder, data.validation)
        return self._thresholds[key]
