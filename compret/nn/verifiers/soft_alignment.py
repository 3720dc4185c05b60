"""F2: each query token spread over the candidate's tokens near its own place."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from compret.nn.simmap import SimilarityMaps
from compret.nn.verifiers.base import Verifier
from compret.types import UserError


class SoftAlignment(Verifier):
    """Mean over query tokens i of the expected cosine under softmax_j((cosine_ij - distance |i - j|) / temperature).

    In [-1, 1] without the monotone term. The paper's F2, its band mended to count tokens.

    Args:
        distance: penalty a token of distance.
        temperature: of the softmax.
        band: tokens j farther from i than this, beyond the nearest there is, are left out; all are in if None.
        monotone: weight of the mean step backwards between the expected places of neighbouring query tokens.
    """

    floats_per_cell = 10

    def __init__(
        self, distance: float = 0.1, temperature: float = 0.1, band: int | None = None, monotone: float = 0.0
    ) -> None:
        if not 0 < temperature < math.inf:
            raise UserError(f"model.verifier.temperature {temperature}: must be finite and above 0")
        super().__init__(distance=distance, temperature=temperature, band=band, monotone=monotone)
        self.distance, self.temperature, self.band, self.monotone = distance, temperature, band, monotone

    def forward(self, maps: SimilarityMaps) -> Tensor:
        weights_PMN = self._alignment(maps)
        query_PM = maps.query_mask_PM.float()
        tokens_P = query_PM.sum(1).clamp(min=1)
        score_P = ((weights_PMN * maps.map_PMN).sum(2) * query_PM).sum(1) / tokens_P
        return score_P - self.monotone * self._backwards(weights_PMN, query_PM) if self.monotone else score_P

    def _alignment(self, maps: SimilarityMaps) -> Tensor:
        """Where each query token lies in the candidate, `(P, M, N)`; rows of tokens sum to 1."""
        m, n = maps.map_PMN.shape[1:]
        places = torch.arange(max(m, n), device=maps.map_PMN.device)
        apart_MN = (places[:m, None] - places[None, :n]).abs()
        allowed_PMN = maps.candidate_mask_PN.unsqueeze(1).expand_as(maps.map_PMN)
        if self.band is not None:
            last_P1 = maps.candidate_mask_PN.sum(1, keepdim=True) - 1
            nearest_PM = (places[:m] - last_P1).clamp(min=0)
            allowed_PMN = allowed_PMN & (apart_MN - nearest_PM.unsqueeze(2) <= self.band)
        logits_PMN = (maps.map_PMN - self.distance * apart_MN) / self.temperature
        return logits_PMN.masked_fill(~allowed_PMN, torch.finfo(logits_PMN.dtype).min).softmax(2)

    @staticmethod
    def _backwards(weights_PMN: Tensor, query_PM: Tensor) -> Tensor:
        """Mean step backwards from a token's expected place to the next one's, in tokens, `(P,)`."""
        places_N = torch.arange(weights_PMN.shape[2], device=weights_PMN.device, dtype=weights_PMN.dtype)
        expected_PM = (weights_PMN * places_N).sum(2)
        back_P = ((expected_PM[:, :-1] - expected_PM[:, 1:]).clamp(min=0) * query_PM[:, 1:]).sum(1)
        return back_P / (query_PM.sum(1) - 1).clamp(min=1)
