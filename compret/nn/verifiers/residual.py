"""A trained verifier on top of a parameter-free one: what it has to learn is only what the other cannot see."""

from __future__ import annotations

import math

from torch import Tensor

from compret.nn.simmap import SimilarityMaps
from compret.nn.verifiers.base import Verifier
from compret.nn.verifiers.maxsim import MaxSim
from compret.types import UserError


class Residual(Verifier):
    """base / temperature + verifier. Before training it ranks nearly as the base does.

    Args:
        verifier: what is learnt; its scores are not bounded.
        base: a verifier without parameters; MaxSim if not given.
        temperature: of the base's scores, which bounds how much the verifier has to add to overrule it.
    """

    def __init__(self, verifier: Verifier, base: Verifier | None = None, temperature: float = 0.1) -> None:
        base = MaxSim() if base is None else base
        if not 0 < temperature < math.inf:
            raise UserError(f"model.verifier.temperature {temperature}: must be finite and above 0")
        super().__init__(verifier=verifier, base=base, temperature=temperature)
        self.verifier, self.base, self.temperature = verifier, base, temperature
        self.max_tokens = min(verifier.max_tokens, base.max_tokens)

    def floats(self, m: int, n: int) -> int:
        return self.verifier.floats(m, n) + self.base.floats(m, n)

    def forward(self, maps: SimilarityMaps) -> Tensor:
        return self.base(maps) / self.temperature + self.verifier(maps)  # type: ignore[no-any-return]
