"""Cosines of pooled vectors: of some pairs of a batch's texts, or of texts against those of all ranks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from compret.distributed import gather_rows


class Cosines:
    """The texts of a batch, scored by the cosine of their vectors; float32, whatever the autocast.

    Args:
        pooled_TD: vectors of this rank's T texts, any norm.
    """

    def __init__(self, pooled_TD: Tensor) -> None:
        with torch.autocast(pooled_TD.device.type, enabled=False):
            self.unit_TD = F.normalize(pooled_TD.float(), dim=-1)

    def pairs(self, rows: Sequence[tuple[int, int]]) -> Tensor:
        """Cosines of some pairs of texts, `(P,)` in [-1, 1]."""
        left_P, right_P = torch.tensor(rows, dtype=torch.long, device=self.unit_TD.device).view(-1, 2).T
        return (self.unit_TD[left_P] * self.unit_TD[right_P]).sum(-1)

    def against(self, rows: range, roles: Sequence[range], columns_BC: Tensor | None = None) -> Tensor:
        """Cosines of B texts with the candidates of all ranks, `(B, C)`, role by role; or with some of them."""
        candidates_CD = torch.cat([gather_rows(self.unit_TD[role.start : role.stop]) for role in roles])
        with torch.autocast(self.unit_TD.device.type, enabled=False):
            scores_BC = self.unit_TD[rows.start : rows.stop] @ candidates_CD.T
        return scores_BC if columns_BC is None else scores_BC.gather(1, columns_BC)
