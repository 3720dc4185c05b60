"""No verifier: the cosine of the pooled vectors, against which the others are measured."""

from __future__ import annotations

from torch import Tensor

from compret.nn.simmap import SimilarityMaps
from compret.nn.verifiers.base import Verifier


class PooledCosine(Verifier):
    """The pooled cosine itself, in [-1, 1]; it does not look at the map."""

    def forward(self, maps: SimilarityMaps) -> Tensor:
        return maps.cosine_P
