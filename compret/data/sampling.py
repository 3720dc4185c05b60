"""Which rows meet in a batch: sources mixed by weight, no text twice, no row dropped between epochs."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from compret.types import Row, UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where a sampler stands in its stream of rows, whatever the size of a batch and the number of ranks."""

    taken: int = 0
    """Rows read from the stream since training began."""
    waiting: tuple[Row, ...] = ()
    """Those among them that no batch has had yet, since they would have met a duplicate."""
    batches: int = 0
    """Batches of this epoch."""
    rows: int = 0
    """Rows in those batches."""


class MixedBatchSampler(Sampler[list[Row]]):
    """Batches of an endless stream of rows; each rank takes its slice of the global batch.

    Args:
        keys: per source, int64 `(rows, 2)`: hashes of anchor and positive, by which duplicates are kept out of a batch.
        weights: share of each source among the rows drawn; they need not sum to one.
        batch_size: rows a rank and a batch.
        seed: fixes all draws.
        rank, world_size: this rank's slice of `world_size * batch_size` rows.
        allow_duplicates: let rows that share an anchor or positive meet in a batch (the paper's plain shuffle).

    No text stands in two rows of a batch, in whichever role: with (a, b) and (b, c) in one batch, b would be a negative
    of itself.

    An epoch is as many whole batches as all rows fill; the stream does not start anew with it, so that the rows which
    fill no whole batch are the next epoch's first. A source with a large weight is reshuffled and repeated within an
    epoch, one with a small weight goes on in the next where it stopped.
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
        self.epoch_rows = sum(len(k) for k, share in zip(keys, self.shares, strict=True) if share > 0)
        self.batch_size = batch_size
        self.seed = seed
        self.rank, self.world_size = rank, world_size
        self.allow_duplicates = allow_duplicates
        self.place = Place()
        """After the batches that were given to the model; iteration starts here."""
        self._ahead: deque[Place] = deque()
        self._told = False

    @property
    def global_batch(self) -> int:
        return self.batch_size * self.world_size

    def __len__(self) -> int:
        """Batches of this epoch, those before a resume included."""
        return self.place.batches + self._left(self.place)

    def __iter__(self) -> Iterator[list[Row]]:
        """The rest of the epoch; `given` must be called as each batch reaches the model."""
        self._ahead.clear()
        place = self.place if self._left(self.place) else self._next_epoch(self.place)
        stream, waiting = self._rows(place.taken), list(place.waiting)
        mine = slice(self.rank * self.batch_size, (self.rank + 1) * self.batch_size)
        for _ in range(self._left(place)):
            batch, waiting, read = self._batch(stream, waiting)
            waiting = self._few(waiting)
            rows = place.rows + self.global_batch
            place = Place(place.taken + read, tuple(waiting), place.batches + 1, rows)
            place = place if self._left(place) else self._next_epoch(place)
            self._ahead.append(place)
            yield batch[mine]

    def given(self) -> None:
        """The oldest batch that was yielded has reached the model: a run resumed from here does not see it again."""
        self.place = self._ahead.popleft()

    def _left(self, place: Place) -> int:
        """Batches that the epoch still has; at least one if it has only begun."""
        left = max(0, self.epoch_rows - place.rows) // self.global_batch
        return left or int(place.batches == 0)

    def _next_epoch(self, place: Place) -> Place:
        return Place(place.taken, place.waiting)

    def _batch(self, stream: Iterator[Row], waiting: list[Row]) -> tuple[list[Row], list[Row], int]:
        """A global batch, the rows that wait for a later one since they would meet a duplicate, and the rows read."""
        batch: list[Row] = []
        seen: set[int] = set()
        waiting, read = [row for row in waiting if not self._take(row, batch, seen)], 0
        while len(batch) < self.global_batch:
            row, read = next(stream), read + 1
            if not self._take(row, batch, seen):
                waiting.append(row)
            if read > 2 * (self.epoch_rows + self.global_batch):
                raise UserError(
                    f"batch_size {self.global_batch}: too few different anchors and positives to fill a batch; "
                    "lower data.batch_size or set data.allow_duplicates"
                )
        return batch, waiting, read

    def _few(self, waiting: list[Row]) -> list[Row]:
        """The rows that wait, or the oldest if they are more than an epoch has: a source too small for its weight."""
        if len(waiting) <= self.epoch_rows:
            return waiting
        if not self._told:
            source = max(range(len(self.keys)), key=[row[0] for row in waiting].count)
            log.warning("source %d has too few rows for its weight: repeats of them are left out", source)
        self._told = True
        return waiting[: self.epoch_rows // 2]

    def _take(self, row: Row, batch: list[Row], seen: set[int]) -> bool:
        source, index = row
        texts = self.keys[source][index].tolist()
        full = len(batch) == self.global_batch
        if full or (not self.allow_duplicates and not seen.isdisjoint(texts)):
            return False
        seen.update(texts)
        batch.append(row)
        return True

    def _rows(self, start: int) -> Iterator[Row]:
        """The endless stream from its row `start`: sources in exact proportion, each in its own shuffled order."""
        quota = _largest_remainder(self.shares, self.epoch_rows)
        turn, offset = divmod(start, self.epoch_rows)
        done = np.bincount(self._order(turn, quota)[:offset], minlength=len(quota))
        streams = [self._source(i, turn * int(n) + int(d)) for i, (n, d) in enumerate(zip(quota, done, strict=True))]
        while True:
            for source in self._order(turn, quota)[offset:].tolist():
                yield source, next(streams[source])
            turn, offset = turn + 1, 0

    def _order(self, turn: int, quota: NDArray[np.int64]) -> NDArray[np.int64]:
        """The sources of as many rows as an epoch has."""
        order = np.repeat(np.arange(len(quota)), quota)
        np.random.default_rng([self.seed, turn]).shuffle(order)
        return order

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
