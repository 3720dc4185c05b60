"""The one interface of all verifiers: similarity maps and masks in, a score a pair out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

from compret.nn.simmap import SimilarityMaps


class Verifier(nn.Module, ABC):
    """Scores pairs by their similarity maps; higher means more surely the same.

    A score depends on its pair's valid cells alone: not on padding, on the batch or on the order of pairs.
    """

    floats_per_cell: int = 4
    """Floats that a cell of the map takes on the way to the score, gradients included."""

    max_tokens: int = 1 << 30
    """The longest text that it takes."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options
        """What the subclass was built with, so that an export can build it again."""

    def floats(self, m: int, n: int) -> int:
        """Floats that one pair of m and n tokens takes on the way to its score, gradients included.

        Blocks of pairs are cut by it; floats(m, n)^2 must be at most floats(m, m) floats(n, n).
        """
        return self.floats_per_cell * m * n

    @abstractmethod
    def forward(self, maps: SimilarityMaps) -> Tensor:
        """Scores of P pairs, `(P,)` float32."""
