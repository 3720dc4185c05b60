"""Retention: pooled vectors held to those of the untouched encoder, so that training costs no retrieval."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from compret.losses.infonce import mean_distance
from compret.nn.encoder import TextEncoder
from compret.types import TokenBatch


class Retention:
    """Mean 1 - cosine between pooled vectors and the untouched encoder's, times a weight; nothing at weight 0.

    The untouched encoder is no part of the module: it is neither trained nor saved. A resumed run takes it from the
    backbone again, since it is built before the checkpoint is loaded.
    """

    def __init__(self, encoder: TextEncoder, weight: float) -> None:
        self.weight = weight
        self.untouched = copy.deepcopy(encoder).eval().requires_grad_(False) if weight else None

    def __call__(self, passes: Sequence[TokenBatch], pooled: Sequence[Tensor]) -> Tensor:
        """The loss of a batch's texts, given their pooled vectors pass by pass: a scalar, float32."""
        if self.untouched is None:
            return pooled[0].new_zeros(())
        if self.untouched.device != pooled[0].device:
            self.untouched.to(pooled[0].device)
        with torch.no_grad():
            kept = [self.untouched(tokens).pooled_BD for tokens in passes]
        return self.weight * mean_distance(torch.cat(list(pooled)), torch.cat(kept))
