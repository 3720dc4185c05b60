"""Temporal: another order or another time."""

from __future__ import annotations


from compret.perturb.tables import flipped
from compret.perturb.types import Edits, Random, Skip, Span


class Temporal:
    category, label = "temporal", 0

    def apply(self, sent: Span, rng: Random) -> Edits:
        yield from list(flipped(sent, "temporal")) or [Skip("no word of time that has an opposite")]
