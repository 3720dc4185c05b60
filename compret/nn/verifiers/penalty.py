"""A verifier's verdict as a penalty on a base score, and only where that is high."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from compret.nn.simmap import SimilarityMaps
from compret.nn.verifiers.base import Verifier
from compret.nn.verifiers.cosine import PooledCosine
from compret.nn.verifiers.maxsim import MaxSim


class ConditionalPenalty(Verifier):
    """base - beta * sigmoid(20 (base - threshold)) * (1 - clamp(verifier, 0, 1)) (the paper's option).

    Texts that are far apart keep their base score; only what looks the same can be rejected.

    Args:
        verifier: what finds the mismatch; its scores are cut to [0, 1].
        beta: the largest penalty.
        threshold: base score from which the gate opens.
        base: pooled cosine or maxsim.
    """

    def __init__(
        self,
        verifier: Verifier,
        beta: float = 1.0,
        threshold: float = 0.9,
        base: Literal["cosine", "maxsim"] = "cosine",
    ) -> None:
        super().__init__(verifier=verifier, beta=beta, threshold=threshold, base=base)
        self.verifier = verifier
        self.beta, self.threshold = beta, threshold
        self.base: Verifier = MaxSim() if base == "maxsim" else PooledCosine()
        self.max_tokens = verifier.max_tokens

    def floats(self, m: int, n: int) -> int:
        return self.verifier.floats(m, n) + self.base.floats(m, n)

    def forward(self, maps: SimilarityMaps) -> Tensor:
        base_P = self.base(maps)
        gate_P = (20 * (base_P - self.threshold)).sigmoid()
        return base_P - self.beta * gate_P * (1 - self.verifier(maps).clamp(0, 1))  # type: ignore[no-any-return]
