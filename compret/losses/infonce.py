"""InfoNCE over in-batch candidates: every positive and every explicit negative of the batch stands against an anchor.

A anchors of all ranks, B those of this rank, C candidates: first the A positives in the order of the anchors, then the
negatives.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from compret.losses.pair import check_temperature


@dataclass(frozen=True)
class InfoNCE:
    """Softmax cross-entropy of cosine / temperature (van den Oord et al. 2018, arXiv 1807.03748).

    With `mask_duplicates` off this is sentence-transformers' MultipleNegativesRankingLoss at scale 1 / temperature.
    """

    temperature: float = 0.05
    """Divides the cosines; sentence-transformers' scale is its inverse."""
    symmetric: bool = False
    """Also rank the anchors for each positive, and take the mean of both directions."""
    mask_duplicates: bool = True
    """Leave out candidates that are the same text as the anchor or its positive."""

    def __post_init__(self) -> None:
        check_temperature(self.temperature)

    def __call__(
        self,
        anchors_AD: Tensor,
        candidates_CD: Tensor,
        rows_B: Tensor,
        duplicates_BC: Tensor,
        duplicates_BA: Tensor,
    ) -> Tensor:
        """Mean loss over this rank's B anchors: a scalar, float32.

        Args:
            anchors_AD: vectors of all anchors, `(A, D)`, any norm.
            candidates_CD: vectors of the A positives and then the negatives, `(C, D)`, any norm.
            rows_B: int64 `(B,)`, this rank's rows among the anchors.
            duplicates_BC: bool `(B, C)`, True where a candidate is the same text as the anchor or its positive, and so
                no negative. The positive itself may be marked: it is never masked.
            duplicates_BA: bool `(B, A)`, the same of the anchors, for the direction that ranks them.
        """
        scores_BC = self._logits(anchors_AD[rows_B], candidates_CD, rows_B, duplicates_BC)
        loss = F.cross_entropy(scores_BC, rows_B)
        if not self.symmetric:
            return loss
        reverse_BA = self._logits(candidates_CD[rows_B], anchors_AD, rows_B, duplicates_BA)
        return (loss + F.cross_entropy(reverse_BA, rows_B)) / 2

    def _logits(self, a_BD: Tensor, b_CD: Tensor, own_B: Tensor, duplicates_BC: Tensor) -> Tensor:
        scores_BC = cosines(a_BD, b_CD) / self.temperature
        if not self.mask_duplicates:
            return scores_BC
        others_BC = duplicates_BC.scatter(1, own_B.unsqueeze(1), False)
        return scores_BC.masked_fill(others_BC, -torch.inf)


def cosines(a_BD: Tensor, b_CD: Tensor) -> Tensor:
    """Cosine of each pair, `(B, C)` in [-1, 1], float32 whatever the autocast."""
    with torch.autocast(a_BD.device.type, enabled=False):
        return F.normalize(a_BD.float(), dim=-1) @ F.normalize(b_CD.float(), dim=-1).T
