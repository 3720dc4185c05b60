"""Distilled: each pair on its own, its target what a teacher says of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from compret.losses.base import Loss, Needs, check_temperature
from compret.types import PairScores, UserError


@dataclass(frozen=True)
class Distilled(Loss):
    """Binary cross-entropy against a teacher's probabilities (soft labels, Hinton et al. 2015, arXiv 1503.02531).

    A pair's target is (1 - hard) * sigmoid(teacher / teacher_temperature) + hard * label; where the teacher has no
    score, it is the label. Rows bring the teacher's logits as the columns `teacher` and, for triplets,
    `teacher_negative`.
    """

    temperature: float = 1.0
    """Divides the scores; 0.1 or less for scores that stay within [-1, 1], as cosines do."""
    shift: float = 0.0
    """The score that means undecided."""
    teacher_temperature: float = 1.0
    """Divides the teacher's scores; above 1 its targets are softer."""
    hard: float = 0.0
    """Share of the label in the target, in [0, 1]."""

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        check_temperature(self.teacher_temperature, "teacher_temperature")
        if not 0 <= self.hard <= 1:
            raise UserError(f"model.loss.hard {self.hard}: a share from 0 to 1")

    @property
    def needs(self) -> Needs:
        return Needs(columns=("teacher", "teacher_negative"))

    def __call__(self, scores: PairScores) -> Tensor:
        """Mean loss over B positives and C negatives: a scalar, float32."""
        assert scores.teacher_positives_B is not None
        assert scores.teacher_negatives_C is not None
        pairs_P = torch.cat([scores.positives_B, scores.negatives_C])
        teacher_P = torch.cat([scores.teacher_positives_B, scores.teacher_negatives_C])
        labels_P = torch.zeros_like(pairs_P)
        labels_P[: len(scores.positives_B)] = 1.0
        soft_P = torch.sigmoid(teacher_P / self.teacher_temperature)
        targets_P = torch.where(teacher_P.isnan(), labels_P, torch.lerp(soft_P, labels_P, self.hard))
        logits_P = (pairs_P - self.shift) / self.temperature
        total = F.binary_cross_entropy_with_logits(logits_P, targets_P, reduction="sum")
        return total / (scores.positives_a_rank + scores.negatives_a_rank)
