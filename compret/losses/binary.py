"""Binary cross-entropy: each pair on its own, the same or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from compret.losses.pair import PairLoss
from compret.types import PairScores


@dataclass(frozen=True)
class Binary(PairLoss):
    """Cross-entropy of sigmoid((score - shift) / temperature): anchor and positive are 1, anchor and negative are 0."""

    temperature: float = 1.0
    """Divides the scores; 0.1 or less for verifiers whose scores stay within [-1, 1]."""
    shift: float = 0.0
    """The score that means undecided."""

    @property
    def needs(self) -> Literal["own"]:
        return "own"

    def __call__(self, scores: PairScores) -> Tensor:
        """Mean loss over B positives and C negatives: a scalar, float32."""
        pairs_P = torch.cat([scores.positives_B, scores.negatives_C])
        labels_P = torch.zeros_like(pairs_P)
        labels_P[: len(scores.positives_B)] = 1.0
        logits_P = (pairs_P - self.shift) / self.temperature
        total = F.binary_cross_entropy_with_logits(logits_P, labels_P, reduction="sum")
        return total / (len(scores.positives_B) + scores.negatives_a_rank)
