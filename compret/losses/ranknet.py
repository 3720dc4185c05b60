"""RankNet: an anchor's positive against its own negative, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from compret.losses.base import Loss, check_temperature
from compret.types import PairScores


@dataclass(frozen=True)
class RankNet(Loss):
    """-log sigmoid of (positive - negative) / temperature (Burges et al. 2005), for rows that have both."""

    temperature: float = 0.1
    """Divides the scores."""

    def __post_init__(self) -> None:
        check_temperature(self.temperature)

    def __call__(self, scores: PairScores) -> Tensor:
        """Mean loss over the T triplets: a scalar, float32; 0 where there is none."""
        negatives_T = scores.negatives_C[: len(scores.anchors_T)]
        margin_T = (scores.positives_B[scores.anchors_T] - negatives_T) / self.temperature
        return F.softplus(-margin_T).sum() / (scores.triplets_a_rank or 1)
