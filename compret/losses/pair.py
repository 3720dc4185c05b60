"""What the losses of pair scores have in common: a need and a call."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Literal

from torch import Tensor

from compret.types import PairScores, UserError


class PairLoss(ABC):
    """A loss of a verifier's scores."""

    others: int | None = None
    """Candidates of other rows that every anchor must be scored with; all if None."""

    temperature: float = 1.0
    """Divides the scores."""

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        if self.others is not None and self.others < 0:
            raise UserError(f"model.loss.others {self.others}: at least 0 other rows' positives")

    @property
    @abstractmethod
    def needs(self) -> Literal["own", "positives", "all"]:
        """With which candidates every anchor must be scored: its own alone, all positives, or all negatives too."""

    @abstractmethod
    def __call__(self, scores: PairScores) -> Tensor:
        """The loss of this rank's B anchors: a scalar, float32."""


def check_temperature(temperature: float) -> None:
    """Refuse what no score may be divided by.

    Raises:
        UserError: it is not above 0, or not finite.
    """
    if not 0 < temperature < math.inf:
        raise UserError(f"model.loss.temperature {temperature}: above 0")
