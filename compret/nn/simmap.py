"""The similarity map of a pair: cosines of its tokens, exact under masks; and the channels that map encoders see."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class SimilarityMaps:
    """What a verifier sees of P pairs."""

    map_PMN: Tensor
    """Cosine of query token and candidate token, float32 in [-1, 1]; 0 where either is padding."""
    query_mask_PM: Tensor
    """bool: True for a token of the query."""
    candidate_mask_PN: Tensor
    """bool: True for a token of the candidate."""
    cosine_P: Tensor
    """Pooled cosine, float32 in [-1, 1]."""

    @property
    def valid_PMN(self) -> Tensor:
        return self.query_mask_PM.unsqueeze(2) & self.candidate_mask_PN.unsqueeze(1)

    @property
    def row_max_PM(self) -> Tensor:
        """The best cosine of each query token, 0 for padding."""
        best_PM = self.map_PMN.masked_fill(~self.candidate_mask_PN.unsqueeze(1), -torch.inf).amax(2)
        return best_PM.masked_fill(~self.query_mask_PM, 0.0)

    @property
    def column_max_PN(self) -> Tensor:
        """The best cosine of each candidate token, 0 for padding."""
        best_PN = self.map_PMN.masked_fill(~self.query_mask_PM.unsqueeze(2), -torch.inf).amax(1)
        return best_PN.masked_fill(~self.candidate_mask_PN, 0.0)

    def channels(self) -> Tensor:
        """Map, row maximum and column maximum as an image, `(P, 3, M, N)`, 0 outside the texts (the paper's input)."""
        valid_PMN = self.valid_PMN
        rows_PMN = self.row_max_PM.unsqueeze(2).expand_as(self.map_PMN)
        columns_PMN = self.column_max_PN.unsqueeze(1).expand_as(self.map_PMN)
        return torch.stack([self.map_PMN, rows_PMN, columns_PMN], 1) * valid_PMN.unsqueeze(1)
