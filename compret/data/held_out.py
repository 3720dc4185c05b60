"""HeldOut: the rows that training leaves out, as near-miss pairs that choose a checkpoint and a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from compret.data.near_miss import NearMissPairs
from compret.evaluation.near_miss import NearMissSet

if TYPE_CHECKING:
    from compret.data.triplet_source import TripletSource

_MOST = 1000


class HeldOut(NearMissPairs):
    """A validation suite of the training's own files: of each held-out row, anchor and positive mean the same, anchor
    and negative do not. Identity rows give no positive pair. Files without both kinds of pairs give no set.
    """

    def __init__(self) -> None:
        self.sets: list[NearMissSet] = []
        """Of each of the training's sources; none before those are read."""
        super().__init__(["held out of the training's files"], [])

    def take(self, sources: Sequence[TripletSource], held_out: Sequence[NDArray[np.int64]], seed: int) -> None:
        """Make the sets; called by the data that has split the rows.

        Args:
            sources: of the training.
            held_out: for each the numbers of the rows that are left out.
            seed: of the draw where they are more than 1,000.
        """
        made = [_pairs(source, rows, seed) for source, rows in zip(sources, held_out, strict=True)]
        self.sets = [pairs for pairs in made if len(set(pairs.labels)) == 2]

    def names(self) -> list[str]:
        return [pairs.name for pairs in self.sets]

    def places(self) -> list[str]:
        return [pairs.fingerprint for pairs in self.sets]

    def load(self, index: int) -> NearMissSet:
        return self.sets[index]


def _pairs(source: TripletSource, rows: NDArray[np.int64], seed: int) -> NearMissSet:
    """At most 1,000 rows of a source as labelled pairs."""
    drawn = np.sort(np.random.default_rng(seed).permutation(rows)[:_MOST]).tolist()
    texts = [
        (row["anchor"], row[column], int(column == "positive"), row.get("category") or "")
        for row in (source.rows(drawn) if drawn else [])
        for column in ("positive", "negative")
        if row.get(column) and row[column] != row["anchor"]
    ]
    columns = zip(*texts, strict=True) if texts else ([], [], [], [])
    anchors, candidates, labels, categories = map(list, columns)
    name = f"{Path(source.name).stem}_held_out"
    return NearMissSet(name, anchors, candidates, labels, categories, f"{source.fingerprint} held out")
