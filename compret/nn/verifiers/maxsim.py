"""F1: late interaction, each query token's best match."""

from __future__ import annotations

from torch import Tensor

from compret.nn.simmap import SimilarityMaps
from compret.nn.verifiers.base import Verifier


class MaxSim(Verifier):
    """Mean over query tokens of the best cosine with a candidate token, in [-1, 1] (the paper's F1).

    ColBERT's MaxSim (Khattab and Zaharia 2020, arXiv 2004.12832) divided by the query's length. It sees no order.
    """

    def forward(self, maps: SimilarityMaps) -> Tensor:
        return maps.row_max_PM.sum(1) / maps.query_mask_PM.sum(1).clamp(min=1)
