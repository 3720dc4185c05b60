"""Spatial: a place or direction turned into its opposite."""

from __future__ import annotations


from compret.perturb.tables import flipped
from compret.perturb.types import Edits, Random, Skip, Span


class Spatial:
    category, label = "spatial", 0

    def apply(self, sent: Span, rng: Random) -> Edits:
        yield from list(flipped(sent, "spatial")) or [Skip("no word of place that has an opposite")]
