"""Pairwise softmax: an anchor's positive against its own negative, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from compret.losses.pair import PairLoss
from compret.types import PairScores


@dataclass(frozen=True)
class Pairwise(PairLoss):
    """-log softmax of (positive, negative) / temperature (RankNet, Burges et al. 2005), for rows with a negative."""

    temperature: float = 0.1
    """Divides the scores."""

    @property
    def needs(self) -> Literal["own"]:
        return "own"

    def __call__(self, scores: PairScores) -> Tensor:
        """Mean loss over the C anchors that have a negative: a scalar, float32; 0 where none has."""
        margin_C = (scores.positives_B[scores.anchors_C] - scores.negatives_C) / self.temperature
        return F.softplus(-margin_C).sum() / (scores.negatives_a_rank or 1)
