"""Which rows meet in a batch: sources mixed by weight, no anchor or positive twice, a function of seed and position."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from compret.types import UserError

Row: TypeAlias = tuple[int, int]
"""(source, row of the source)."""


class MixedBatchSampler(Sampler[list[Row]]):
    """Batches of rows as a pure function of seed and position; each rank takes its slice of the global batch.

    Args:
        keys: per source, int64 `(rows, 2)`: hashes of anchor and positive, by which duplicates are kept out of a batch.
        weights: share of each source among the rows drawn; they need not sum to one.
        batch_size: rows a rank and a batch.
        seed: fixes all draws.
        rank, world_size: this rank's slice of `world_size * batch_size` rows.
        allow_duplicates: let equal anchors or positives meet in a batch (the paper's plain shuffle).

    An epoch is as many batches as all rows fill. A source with a large weight is reshuffled and repeated within it, one
    with a small weight goes on in the next where it stopped.
    """

    def __init__(
        self,
        keys: Sequence[NDArray[np.int64]],
        weights: Sequence[float],
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        allow_duplicates: bool = False,
    ) -> None:
        self.keys = keys
        self.shares = np.asarray(weights, dtype=np.float64) / np.sum(weights)
        self.batch_size = batch_size
        self.seed = seed
        self.rank, self.world_size = rank, world_size
        self.allow_duplicates = allow_duplicates
        self.position = 0
        """Batches already taken since the first epoch began; iteration starts here."""

    @property
    def global_batch(self) -> int:
        return self.batch_size * self.world_size

    def __len__(self) -> int:
        used = [len(keys) for keys, share in zip(self.keys, self.shares, strict=True) if share > 0]
        return max(1, sum(used) // self.global_batch)

    def __iter__(self) -> Iterator[list[Row]]:
        """The rest of the epoch that `position` lies in."""
        epoch, done = divmod(self.position, len(self))
        mine = slice(self.rank * self.batch_size, (self.rank + 1) * self.batch_size)
        for number, batch in enumerate(self._epoch(epoch)):
            if number >= done:
                yield batch[mine]

    def _epoch(self, epoch: int) -> Iterator[list[Row]]:
        """Global batches of one epoch: rows that would meet a duplicate wait for a later batch."""
        rows = self._rows(epoch)
        waiting: list[Row] = []
        for _ in range(len(self)):
            batch: list[Row] = []
            seen: tuple[set[int], set[int]] = (set(), set())
            waiting = [row for row in waiting if not self._take(row, batch, seen)]
            while len(batch) < self.global_batch:
                row = next(rows)
                if not self._take(row, batch, seen):
                    waiting.append(row)
                if len(waiting) > 2 * sum(map(len, self.keys)):
                    raise UserError(
                        f"batch_size {self.global_batch}: too few different anchors and positives to fill a batch; "
                        "lower data.batch_size or set data.allow_duplicates"
                    )
            yield batch

    def _take(self, row: Row, batch: list[Row], seen: tuple[set[int], set[int]]) -> bool:
        source, index = row
        anchor, positive = self.keys[source][index].tolist()
        full = len(batch) == self.global_batch
        if full or (not self.allow_duplicates and (anchor in seen[0] or positive in seen[1])):
            return False
        seen[0].add(anchor)
        seen[1].add(positive)
        batch.append(row)
        return True

    def _rows(self, epoch: int) -> Iterator[Row]:
        """An endless stream of rows: sources in exact proportion, each in its own shuffled order."""
        slots = len(self) * self.global_batch
        quota = _largest_remainder(self.shares, slots)
        order = np.repeat(np.arange(len(quota)), quota)
        np.random.default_rng([self.seed, epoch]).shuffle(order)
        streams = [self._source(i, epoch * int(n)) for i, n in enumerate(quota)]
        for source in order.tolist():
            yield source, next(streams[source])
        for spare in itertools.cycle(np.flatnonzero(quota).tolist()):
            yield spare, next(streams[spare])

    def _source(self, source: int, start: int) -> Iterator[int]:
        """Rows of one source without end from `start`, each pass in a new order."""
        size = len(self.keys[source])
        turn, offset = divmod(start, size)
        while True:
            order = np.random.default_rng([self.seed, source, turn, 1]).permutation(size)
            yield from order[offset:].tolist()
            turn, offset = turn + 1, 0


def _largest_remainder(shares: NDArray[np.float64], slots: int) -> NDArray[np.int64]:
    """Whole numbers that sum to `slots`, in proportion to the shares."""
    exact = shares * slots
    quota = np.floor(exact).astype(np.int64)
    for source in np.argsort(quota - exact, kind="stable")[: slots - int(quota.sum())]:
        quota[source] += 1
    return quota
