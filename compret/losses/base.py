"""The one protocol of losses: what it needs is computed, a call gives a scalar."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from compret.types import PairScores, UserError


@dataclass(frozen=True)
class Needs:
    """What a loss is given beside each anchor's scores with its own positive and its own negative."""

    candidates: Literal["own", "positives", "all"] = "own"
    """With which candidates of all ranks every anchor is scored: none, all positives, or all negatives too."""
    others: int | None = None
    """At most so many candidates of other rows; all if None."""
    symmetric: bool = False
    """Every positive is scored with all anchors, too."""
    columns: tuple[str, ...] = ()
    """Columns of numbers that every source of training rows must have, such as `weight`."""


class Loss(ABC):
    """A loss of a batch's scores, whatever they are: cosines of vectors, or a verifier's."""

    @property
    def needs(self) -> Needs:
        """By default the scores of each anchor's own pairs alone."""
        return Needs()

    @abstractmethod
    def __call__(self, scores: PairScores) -> Tensor:
        """The loss of this rank's rows: a scalar, float32. Its mean over ranks is the loss of one process."""


def check_temperature(temperature: float, option: str = "temperature") -> None:
    """Refuse what no score may be divided by.

    Raises:
        UserError: it is not above 0, or not finite.
    """
    if not 0 < temperature < math.inf:
        raise UserError(f"model.loss.{option} {temperature}: above 0, and finite")
