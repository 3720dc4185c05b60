"""Guard: accepts or rejects a pair of texts by a model and a threshold; what it cannot judge, it rejects."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from compret.data.near_miss_files import load_near_misses
from compret.evaluation.audit import BUDGET, Audit, audit
from compret.evaluation.near_miss import NearMissSet
from compret.evaluation.scoring_model import ScoringModel, load_model
from compret.metrics.calibration import calibrate
from compret.types import UserError

log = logging.getLogger(__name__)

Pairs = str | Path | NearMissSet
"""Labelled pairs, or the file that they are read from; `minimal_pairs:validation` and its like are embedded."""


@dataclass(frozen=True)
class Decision:
    """What the guard says of a pair."""

    accept: bool
    """The two say the same, as far as the threshold tells."""
    score: float | None
    """None where the pair was not scored."""
    reason: str
    """Why: the score, equal texts, or what went wrong."""


@dataclass(frozen=True)
class Accepted:
    """A candidate that says what the query says."""

    text: str
    row: int
    """Its place among the candidates."""
    score: float


class Guard:
    """Says whether two texts say the same; threads may share it.

    It fails closed: an empty text, one that the model would read in part, a score that is no number and any error
    while scoring end in a rejection that names the reason. Equal texts are accepted unscored. The order of the two
    texts makes no difference.

    Args:
        model: what scores, and its threshold.
        fitted_on: fingerprint of the pairs that the threshold was fitted on here.
    """

    def __init__(self, model: ScoringModel, fitted_on: str | None = None) -> None:
        self.model, self.fitted_on = model, fitted_on
        self._lock = threading.Lock()

    @classmethod
    def load(cls, model: str | Path, device: str | None = None) -> Guard:
        """The export of a fitted verifier with its own threshold; or any encoder, which `calibrated` gives one.

        Args:
            model: a folder or a hub id.
            device: the first GPU where there is one, else the CPU, if None.

        Raises:
            UserError: it cannot be read.
        """
        return cls(load_model(model, device))

    @property
    def threshold(self) -> float:
        """The score from which a pair is accepted.

        Raises:
            UserError: none was ever fitted.
        """
        if self.model.calibration is None:
            raise UserError(
                "guard: no threshold; call calibrated(pairs, budget), or load the export of a verifier's fit"
            )
        return self.model.calibration.threshold

    def calibrated(self, pairs: Pairs, budget: float = BUDGET) -> Guard:
        """The same model with a threshold that accepts at most a share `budget` of these pairs' near-misses.

        Raises:
            UserError: the pairs lack a label, or the budget is no share from 0 to below 1.
        """
        if not 0 <= budget < 1:
            raise UserError(f"guard: budget {budget}: a share from 0 to below 1")
        known = _read(pairs)
        with self._lock:
            scores = self.model.scorer.pairs(known.anchors, known.candidates).scores_P
        fitted = calibrate(scores, known.labels, budget)
        if fitted is None:
            raise UserError(f"{known.name}: a threshold needs pairs of both labels")
        return Guard(ScoringModel(self.model.scorer, fitted), known.fingerprint)

    def same(self, a: str, b: str) -> Decision:
        """Whether two texts say the same."""
        return self.decide([(a, b)])[0]

    def decide(self, pairs: Sequence[tuple[str, str]]) -> list[Decision]:
        """Whether each pair says the same; all that need a score are scored at once."""
        threshold = self.threshold
        found = {row: decision for row, pair in enumerate(pairs) if (decision := _unscored(*pair))}
        asked = [row for row in range(len(pairs)) if row not in found]
        found |= zip(asked, self._scored([pairs[row] for row in asked], threshold), strict=True)
        return [found[row] for row in range(len(pairs))]

    def filter(self, query: str, candidates: Sequence[str]) -> list[Accepted]:
        """The candidates that say what the query says, best first; equal ones before all others."""
        if isinstance(candidates, str):
            raise UserError("guard: filter takes a list of candidates, as in filter(query, ['a text'])")
        decided = enumerate(self.decide([(query, candidate) for candidate in candidates]))
        kept = [
            Accepted(candidates[row], row, float("inf") if decision.score is None else decision.score)
            for row, decision in decided
            if decision.accept
        ]
        return sorted(kept, key=lambda accepted: (-accepted.score, accepted.row))

    def audit(self, pairs: Pairs) -> Audit:
        """What the threshold lets through and loses of labelled pairs, by category, with intervals.

        Raises:
            UserError: there is no threshold, or it was fitted on these very pairs (law 8).
        """
        self.threshold  # noqa: B018 that there is one
        tested = _read(pairs)
        if tested.fingerprint == self.fitted_on:
            raise UserError(f"{tested.name}: the threshold was fitted on these pairs; test it on others")
        with self._lock:
            return audit(self.model.scorer, tested, own=self.model.calibration)

    def _scored(self, pairs: Sequence[tuple[str, str]], threshold: float) -> list[Decision]:
        if not pairs:
            return []
        ordered = [sorted(pair) for pair in pairs]  # to the last bit the same in either order
        try:
            with self._lock:
                scored = self.model.scorer.pairs([a for a, _ in ordered], [b for _, b in ordered])
            cut = self._cut({text for pair in pairs for text in pair} if scored.counts["truncated_texts"] else set())
        except Exception as error:  # whatever it is, the pair was not judged
            log.warning("guard: %d pairs are rejected, since they could not be scored (%s)", len(pairs), error)
            return [Decision(False, None, f"not scored: {error}")] * len(pairs)
        scores = zip(ordered, scored.scores_P.tolist(), strict=True)
        return [_decided(score, threshold, cut=not cut.isdisjoint(pair)) for pair, score in scores]

    def _cut(self, texts: set[str]) -> set[str]:
        """Those of which the model reads a part alone."""
        tokenizer = self.model.scorer.encoder.tokenizer
        return {text for text in texts if tokenizer([text], "query").truncated}


def _unscored(a: str, b: str) -> Decision | None:
    """What needs no score."""
    if not (isinstance(a, str) and isinstance(b, str)):
        return Decision(False, None, "not a text")
    if not (a.strip() and b.strip()):
        return Decision(False, None, "an empty text")
    return Decision(True, None, "equal texts") if a == b else None


def _decided(score: float, threshold: float, cut: bool) -> Decision:
    if cut:
        return Decision(False, score, "a text is longer than the model reads")
    accept = score >= threshold
    return Decision(accept, score, f"score {score:.4f} {'reaches' if accept else 'is below'} {threshold:.4f}")


def _read(pairs: Pairs) -> NearMissSet:
    return pairs if isinstance(pairs, NearMissSet) else load_near_misses(str(pairs))
