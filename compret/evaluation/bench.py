"""Bench: runs datasets one after the other on a model and holds their results; fit, test and the API share it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compret.evaluation.approximate import Search, searcher
from compret.evaluation.nevir import NevIRResult, evaluate_nevir
from compret.evaluation.rerank import Recall, evaluate_pairs, evaluate_two_stages, verifier_scores
from compret.evaluation.results import NearMissResult, Results, RetrievalResult
from compret.evaluation.retrieve import evaluate_retrieval
from compret.evaluation.separate import evaluate_near_misses, pooled_cosines
from compret.metrics.calibration import Calibration, calibrate
from compret.metrics.near_miss import best_f1_threshold
from compret.nn.encoder import TextEncoder
from compret.nn.verifiers import Verifier
from compret.types import ContrastSet, EvaluationSet, NearMissSet, RetrievalSet


class Bench:
    """Results of one model on any number of datasets.

    Args:
        encoder: the model, on its device.
        verifier: re-ranks what pooled cosine recalls, and scores pairs; pooled cosine does both if None.
        special_tokens: keep the states of special tokens in the verifier's maps.
        threshold: at or above it pairs are called the same, where a set brings no validation pairs of its own.
        search: exact, or approximate by FAISS.
        recall: finds the documents for the verifier; its cosine may count beside the verifier's score.
        edit_words: also measure how far the edited words alone tell near-misses apart; for tests, not validation.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        verifier: Verifier | None = None,
        special_tokens: bool = True,
        threshold: float | None = None,
        search: Search = "exact",
        recall: Recall = Recall(),
        edit_words: bool = False,
    ) -> None:
        self.encoder, self.verifier, self.special_tokens = encoder, verifier, special_tokens
        self.threshold, self.edit_words = threshold, edit_words
        self.search, self.recall = searcher(search), recall
        self.retrieval: list[RetrievalResult] = []
        self.near_miss: list[NearMissResult] = []
        self.nevir: list[NevIRResult] = []
        self._origins: dict[str, object] = {}
        self._thresholds: dict[str, float | None] = {}

    @property
    def ran(self) -> bool:
        return bool(self.retrieval or self.near_miss or self.nevir)

    def run(self, data: EvaluationSet) -> None:
        """Score one dataset."""
        self._origins |= data.origin
        if isinstance(data, RetrievalSet):
            self.retrieval.append(self._retrieval(data))
        elif isinstance(data, ContrastSet):
            scored_by = (self.encoder, self.verifier, self.special_tokens, self.recall)
            self.nevir.append(evaluate_nevir(data, *scored_by))
        else:
            result = self._near_misses(data)
            self.near_miss.append(result.recomputed() if self.edit_words else result)

    def results(self, meta: Mapping[str, Any]) -> Results:
        """All that was run, with the data's origins, fingerprints and counts added to `meta`."""
        return Results({**meta, "origins": self._origins}, self.retrieval, self.near_miss, self.nevir)

    def calibration(self, false_accept_rate: float) -> Calibration | None:
        """Fitted on all near-miss sets that were run, which must be validation sets; None without both labels."""
        labels = [label for result in self.near_miss for label in result.data.labels]
        scores = [score for result in self.near_miss for score in result.scores_P.tolist()]
        return calibrate(scores, labels, false_accept_rate) if labels else None

    def _retrieval(self, data: RetrievalSet) -> RetrievalResult:
        if self.verifier is None:
            return evaluate_retrieval(self.encoder, data, search=self.search)
        return evaluate_two_stages(self.encoder, self.verifier, data, self.special_tokens, self.search, self.recall)

    def _near_misses(self, data: NearMissSet) -> NearMissResult:
        if self.verifier is None:
            return evaluate_near_misses(self.encoder, data, self._threshold(data))
        threshold = self._threshold(data)
        return evaluate_pairs(self.encoder, self.verifier, data, threshold, self.special_tokens, self.recall)

    def _threshold(self, data: NearMissSet) -> float | None:
        """The threshold of the best F1 on the validation pairs, found once for all sets that share them."""
        if data.validation is None:
            return self.threshold
        key = data.validation.fingerprint
        if key not in self._thresholds:
            scores_P = self._scores(data.validation)
            self._thresholds[key] = best_f1_threshold(scores_P, np.array(data.validation.labels))
        return self._thresholds[key]

    def _scores(self, data: NearMissSet) -> NDArray[np.float64]:
        pairs = (data.anchors, data.candidates)
        if self.verifier is None:
            return pooled_cosines(self.encoder, *pairs, data.name)[0]
        return verifier_scores(self.encoder, self.verifier, *pairs, self.special_tokens, self.recall, data.name)[0]
