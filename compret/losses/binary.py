"""Binary cross-entropy: each pair on its own, the same or not."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from compret.losses.base import Loss, check_temperature
from compret.types import PairScores


@dataclass(frozen=True)
class Binary(Loss):
    """Cross-entropy of sigmoid((score - shift) / temperature): anchor and positive are 1, anchor and negative are 0.

    It learns from every row, labelled pairs of either label too.
    """

    temperature: float = 1.0
    """Divides the scores; 0.1 or less for scores that stay within [-1, 1], as cosines do."""
    shift: float = 0.0
    """The score that means undecided."""

    def __post_init__(self) -> None:
        check_temperature(self.temperature)

    def __call__(self, scores: PairScores) -> Tensor:
        """Mean loss over B positives and C negatives: a scalar, float32."""
        pairs_P = torch.cat([scores.positives_B, scores.negatives_C])
        labels_P = torch.zeros_like(pairs_P)
        labels_P[: len(scores.positives_B)] = 1.0
        logits_P = (pairs_P - self.shift) / self.temperature
        total = F.binary_cross_entropy_with_logits(logits_P, labels_P, reduction="sum")
        return total / (scores.positives_a_rank + scores.negatives_a_rank)
