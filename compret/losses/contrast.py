"""Contrast: an anchor's positive against the batch's other candidates; InfoNCE where the scores are cosines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from compret.losses.base import Loss, Needs, check_temperature
from compret.types import PairScores, UserError


@dataclass(frozen=True)
class Contrast(Loss):
    """Softmax cross-entropy of score / temperature over the candidates (InfoNCE, van den Oord et al. 2018).

    On cosines, with `mask_duplicates` off, it is sentence-transformers' MultipleNegativesRankingLoss at scale
    1 / temperature. It learns from rows with a positive; the negatives of other rows are candidates.
    """

    temperature: float = 0.1
    """Divides the scores; sentence-transformers' scale is its inverse."""
    candidates: Literal["all", "own"] = "all"
    """Which negatives stand beside all positives: all of the batch, or the anchor's own alone, as in the paper."""
    others: int | None = None
    """How many other positives an anchor is scored with, for `own` alone; all if None, which is the paper's. For a
    verifier each costs a map."""
    symmetric: bool = False
    """Also rank the anchors for each positive, and take the mean of both directions."""
    mask_duplicates: bool = True
    """Leave out candidates that are the same text as the anchor or its positive."""

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        if self.others is not None and self.others < 0:
            raise UserError(f"model.loss.others {self.others}: at least 0 other rows' positives")
        if self.others is not None and self.candidates == "all":
            raise UserError("loss.others: needs loss.candidates own; of all, it could leave out the anchor's negative")
        if self.others is not None and self.symmetric:
            raise UserError("loss.symmetric: ranks all anchors for each positive; leave loss.others out")

    @property
    def needs(self) -> Needs:
        return Needs("all" if self.candidates == "all" else "positives", self.others, self.symmetric)

    def __call__(self, scores: PairScores) -> Tensor:
        """Mean loss over the B anchors that have a positive: a scalar, float32; 0 where none has."""
        assert scores.every_BC is not None
        assert scores.duplicates_BC is not None
        logits_BC = self._masked(scores.every_BC, scores.rows_B, scores.duplicates_BC)
        if self.candidates == "own":
            logits_BC = torch.cat([logits_BC, self._own(scores).unsqueeze(1)], 1)
        total = F.cross_entropy(logits_BC, scores.rows_B, reduction="sum")
        if scores.reverse_BA is not None:
            assert scores.duplicates_BA is not None
            logits_BA = self._masked(scores.reverse_BA, scores.rows_B, scores.duplicates_BA)
            total = (total + F.cross_entropy(logits_BA, scores.rows_B, reduction="sum")) / 2
        return total / (scores.positives_a_rank or 1)

    def _masked(self, scores_BC: Tensor, rows_B: Tensor, duplicates_BC: Tensor) -> Tensor:
        """Logits, without the candidates that are no negatives; an anchor's own positive is none of those."""
        logits_BC = scores_BC / self.temperature
        if not self.mask_duplicates:
            return logits_BC
        return logits_BC.masked_fill(duplicates_BC.scatter(1, rows_B.unsqueeze(1), False), -torch.inf)

    def _own(self, scores: PairScores) -> Tensor:
        """Each anchor's logit with its own negative; never likely where it has none."""
        negatives_T = scores.negatives_C[: len(scores.anchors_T)] / self.temperature
        none_B = scores.positives_B.new_full(scores.positives_B.shape, -torch.inf)
        return none_B.index_copy(0, scores.anchors_T, negatives_T)
