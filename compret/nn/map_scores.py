"""Scores of a verifier: of some pairs of a batch's texts, or of texts against those of all ranks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from torch import Tensor

from compret.distributed import gather_objects, gather_rows, world_size
from compret.nn.pair_scoring import BUDGET, TokenStates, joined, score_all, score_pairs
from compret.nn.verifiers.base import Verifier


class MapScores:
    """The texts of a batch, scored by a verifier from their similarity maps; float32.

    Args:
        states: of this rank's T texts.
        budget: floats that a block of pairs may hold; it changes no score.
    """

    def __init__(self, verifier: Verifier, states: TokenStates, budget: int = BUDGET) -> None:
        self.verifier, self.states, self.budget = verifier, states, budget

    def pairs(self, rows: Sequence[tuple[int, int]]) -> Tensor:
        """Scores of some pairs of texts, `(P,)`."""
        return score_pairs(self.verifier, self.states, self.states, rows, budget=self.budget)

    def against(self, rows: range, roles: Sequence[range], columns_BC: Tensor | None = None) -> Tensor:
        """Scores of B texts with the candidates of all ranks, `(B, C)`, role by role; or with some of them."""
        given = [_gathered(self.states[role]) for role in roles if world_size() > 1 or role]
        texts, candidates = self.states[rows], joined(given)
        if columns_BC is None:
            return score_all(self.verifier, texts, candidates, self.budget)
        pairs = [(row, column) for row, columns in enumerate(columns_BC.tolist()) for column in columns]
        return score_pairs(self.verifier, texts, candidates, pairs, budget=self.budget).view(columns_BC.shape)


def _gathered(states: TokenStates) -> TokenStates:
    """The states of all ranks, with gradients."""
    if world_size() == 1:
        return states
    lengths: Sequence[tuple[int, ...]] = gather_objects(states.lengths)
    return TokenStates(gather_rows(states.unit_TD), tuple(chain(*lengths)), gather_rows(states.pooled_BD))
