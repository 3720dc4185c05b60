"""Retention: pooled vectors held to those of the untouched encoder, so that training costs no retrieval."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from compret.distributed import mean_rows
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
        """The loss of this rank's texts, given their pooled vectors pass by pass: a scalar, float32.

        Its mean over ranks is that over the texts of all of them, however many each has.
        """
        if self.untouched is None:
            return pooled[0].new_zeros(())
        if self.untouched.device != pooled[0].device:
            self.untouched.to(pooled[0].device)
        with torch.no_grad():
            kept_BD = torch.cat([self.untouched(tokens).pooled_BD for tokens in passes])
        distances_B = 1 - F.cosine_similarity(torch.cat(list(pooled)).float(), kept_BD.float(), dim=-1)
        return self.weight * distances_B.sum() / mean_rows(kept_BD)
