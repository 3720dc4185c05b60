"""InfoNCE over the scores of pairs: an anchor's positive against the batch's other candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from compret.losses.pair import PairLoss
from compret.types import PairScores, UserError


@dataclass(frozen=True)
class Contrast(PairLoss):
    """Softmax cross-entropy of score / temperature over all pairs of the batch (van den Oord et al. 2018).

    `candidates: own` is the paper's set: all positives and the anchor's own negative; `all` has every negative.
    """

    temperature: float = 0.1
    """Divides the scores."""
    candidates: Literal["all", "own"] = "all"
    """Which negatives stand beside the positives: all of the batch, or the anchor's own alone."""
    others: int | None = None
    """How many other positives an anchor is scored with, for `own` alone; all if None, which is the paper's and costs B
    times as much."""
    mask_duplicates: bool = True
    """Leave out candidates that are the same text as the anchor or its positive."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.others is not None and self.candidates == "all":
            raise UserError("loss.others: needs loss.candidates own; of all, it could leave out the anchor's negative")

    @property
    def needs(self) -> Literal["all", "positives"]:
        """The candidates with which every anchor must be scored."""
        return "all" if self.candidates == "all" else "positives"

    def __call__(self, scores: PairScores) -> Tensor:
        """Mean loss over B anchors: a scalar, float32."""
        assert scores.every_BC is not None
        logits_BC = scores.every_BC / self.temperature
        if self.mask_duplicates:
            others_BC = scores.duplicates_BC.scatter(1, scores.rows_B.unsqueeze(1), False)
            logits_BC = logits_BC.masked_fill(others_BC[:, : logits_BC.shape[1]], -torch.inf)
        if self.candidates == "own":
            own_B = logits_BC.new_full((len(logits_BC),), -torch.inf)
            own_B = own_B.index_copy(0, scores.anchors_C, scores.negatives_C / self.temperature)
            logits_BC = torch.cat([logits_BC, own_B.unsqueeze(1)], 1)
        return F.cross_entropy(logits_BC, scores.rows_B)
