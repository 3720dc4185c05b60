"""TripletSource: one source of training rows, held in Arrow, with the hashes of its texts and its split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from compret.data.collate import text_key
from compret.data.labels import Stratum, even_strata
from compret.data.leakage import leaked
from compret.data.triplet_tables import load_triplets
from compret.metrics.near_miss import jaccard
from compret.types import UserError

if TYPE_CHECKING:
    from datasets import Dataset as ArrowTable

_SPLIT_STEPS = 1 << 20
_BLOCK = 10_000
"""Rows that are in memory at a time."""


class TripletSource:
    """One opened source: its rows in memory-mapped Arrow, and the hashes of their texts.

    Args:
        name: see `load_triplets`.
        seed: of the random negatives.
        random_negatives: give each row without a negative the positive of another.
        numbers: columns of numbers that the rows must have.
    """

    def __init__(self, name: str, seed: int, random_negatives: bool, numbers: Sequence[str] = ()) -> None:
        self.name = name
        self.table: ArrowTable = load_triplets(name, numbers)
        anchors, positives, self.negatives = (_column_keys(self.table, c) for c in ("anchor", "positive", "negative"))
        self.is_same = positives != 0
        """bool, `(rows,)`: False for a labelled pair of label 0, which has no positive."""
        self.keys = np.stack([anchors, np.where(self.is_same, positives, self.negatives)], axis=1)
        """int64, `(rows, 2)`: anchor and positive, or the other text of a labelled pair."""
        self.usable = (self.negatives != anchors) & (self.negatives != positives)
        """bool, `(rows,)`: False where the negative is the anchor or the positive, and where a row is left out."""
        self.dropped = int((~self.usable).sum())
        texts = np.stack([anchors, positives], axis=1)
        self.fingerprint = xxhash.xxh3_128_hexdigest(texts.tobytes() + self.negatives.tobytes())
        if random_negatives and not self.is_same.all():
            raise UserError(f"{name}: labelled pairs have negatives of their own; leave data.random_negatives out")
        self.others = self._draw_others(seed) if random_negatives else None

    def strata(self, number: int, rows: NDArray[np.int64], overlap_matching: bool) -> list[Stratum]:
        """Some rows in parts that are drawn in proportion: by label, where there are two.

        Args:
            number: of this source.
        """
        overlap_R = self._overlap(rows) if overlap_matching and not self.is_same[rows].all() else None
        return even_strata(number, rows, self.is_same[rows], overlap_R)

    def _overlap(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Word overlap of labelled pairs, `(R,)`; all rows of such a source are pairs."""
        pairs = (row for block in np.array_split(rows, len(rows) // _BLOCK + 1) for row in self.rows(block.tolist()))
        found = (jaccard(row["anchor"], row.get("positive") or row["negative"]) for row in pairs)
        return np.fromiter(found, np.float64, len(rows))

    def leave_out(self, seen: NDArray[np.int64]) -> int:
        """Use no row that holds a text whose hash was seen; how many there are."""
        leaks = leaked(np.column_stack([self.keys, self.negatives]), seen)
        self.usable &= ~leaks
        return int(leaks.sum())

    @property
    def told(self) -> str:
        left_out = int((~self.usable).sum())
        return f"{self.fingerprint}, {left_out} rows left out" if left_out else self.fingerprint

    def split(self, holdout: float, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Row numbers to train on and held out, by the anchor's hash and the seed, the same in every source."""
        held_out = (_mixed(self.keys[:, 0], seed) % _SPLIT_STEPS) < holdout * _SPLIT_STEPS
        return np.flatnonzero(~held_out & self.usable), np.flatnonzero(held_out & self.usable)

    def rows(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Rows by number, with the random negatives filled in."""
        columns = self.table[numbers]
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        if self.others is not None:
            drawn = self.table[self.others[numbers].tolist()]["positive"]
            rows = [{**row, "negative": row.get("negative") or other} for row, other in zip(rows, drawn, strict=True)]
        return rows

    def _draw_others(self, seed: int) -> NDArray[np.int64]:
        """For each row another row, whose positive differs wherever one drawn again at most four times does."""
        size = len(self.table)
        generator = np.random.default_rng(seed)
        others = generator.integers(size, size=size)
        for _ in range(4):
            same = self.keys[others, 1] == self.keys[:, 1]
            others[same] = generator.integers(size, size=int(same.sum()))
        return others


def _column_keys(table: ArrowTable, column: str) -> NDArray[np.int64]:
    """Hash of each text of a column, 0 for none, read in blocks so that the column is never a list in memory."""
    if column not in table.column_names:
        return np.zeros(len(table), dtype=np.int64)
    keys = (text_key(text) if text else 0 for block in _blocks(table, column) for text in block)
    return np.fromiter(keys, np.int64, len(table))


def _mixed(keys: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """Other 64-bit keys for each seed: SplitMix64's finaliser (Steele et al. 2014) of key + seed * golden ratio."""
    x = keys.view(np.uint64) + np.uint64(seed * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _blocks(table: ArrowTable, column: str, rows: int = _BLOCK) -> Iterator[list[str]]:
    for start in range(0, len(table), rows):
        yield table[start : start + rows][column]
