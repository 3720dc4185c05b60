"""HeldOut: the rows that training leaves out, as near-miss pairs that choose a checkpoint and a threshold."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from compret.data.suites import NearMissPairs
from compret.data.triplets import TripletSource
from compret.types import NearMissSet

_MOST = 1000


class HeldOut(NearMissPairs):
    """A validation suite of a fit's own files: of each held-out row, anchor and positive are the same, anchor and
    negative are not. Identity rows give no positive pair. Files without both kinds of pairs are left out.

    Args:
        files: as the training's.
        holdout: as the training's.
        seed: as the training's.
    """

    def __init__(self, files: list[str], holdout: float, seed: int = 42) -> None:
        super().__init__(files, [])
        self.holdout, self.seed = holdout, seed

    @cached_property
    def sets(self) -> list[NearMissSet]:
        """One of each file that gives both labels, read when first asked for."""
        found = [
            _pairs(name, file, self.holdout, self.seed) for name, file in zip(super().names(), self.files, strict=True)
        ]
        return [pairs for pairs in found if len(set(pairs.labels)) == 2]

    def names(self) -> list[str]:
        return [pairs.name for pairs in self.sets]

    def load(self, index: int) -> NearMissSet:
        return self.sets[index]

    def places(self) -> list[str]:
        return [f"held out of {file}" for file in self.files]


def _pairs(name: str, file: str, holdout: float, seed: int) -> NearMissSet:
    """At most 1,000 held-out rows of a file as labelled pairs."""
    source = TripletSource(file, seed, random_negatives=False)
    _, numbers = source.split(holdout, seed)
    drawn = np.sort(np.random.default_rng(seed).permutation(numbers)[:_MOST]).tolist()
    texts = [
        (row["anchor"], row[column], int(column == "positive"), row.get("category") or "")
        for row in (source.rows(drawn) if drawn else [])
        for column in ("positive", "negative")
        if row.get(column) and row[column] != row["anchor"]
    ]
    columns = zip(*texts, strict=True) if texts else ([], [], [], [])
    anchors, candidates, labels, categories = map(list, columns)
    return NearMissSet(f"{name}_held_out", anchors, candidates, labels, categories, source.fingerprint)
