"""What the losses of pair scores have in common: a need and a call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

from torch import Tensor

from compret.types import PairScores


class PairLoss(ABC):
    """A loss of a verifier's scores."""

    others: int | None = None
    """Candidates of other rows that every anchor must be scored with; all if None."""

    @property
    @abstractmethod
    def needs(self) -> Literal["own", "positives", "all"]:
        """With which candidates every anchor must be scored: its own alone, all positives, or all negatives too."""

    @abstractmethod
    def __call__(self, scores: PairScores) -> Tensor:
        """The loss of this rank's B anchors: a scalar, float32."""
