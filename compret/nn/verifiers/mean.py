"""F0: the mean of the map."""

from __future__ import annotations

from torch import Tensor

from compret.nn.simmap import SimilarityMaps
from compret.nn.verifiers.base import Verifier


class MeanMap(Verifier):
    """Mean cosine over all pairs of tokens, in [-1, 1] (the paper's F0). It sees no order."""

    def forward(self, maps: SimilarityMaps) -> Tensor:
        cells_P = maps.query_mask_PM.sum(1) * maps.candidate_mask_PN.sum(1)
        return maps.map_PMN.sum((1, 2)) / cells_P.clamp(min=1)
