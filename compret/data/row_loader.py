"""Rows fetched a batch at a time, made into batches by threads ahead of the step, and a place to resume at."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from torch.utils.data import DataLoader, Dataset

from compret.data.collate import Collate
from compret.data.labels import Stratum
from compret.data.sampling import MixedBatchSampler, Place
from compret.data.triplet_source import TripletSource
from compret.types import Row, TripletBatch


class TripletRows(Dataset[dict[str, Any]]):
    """Rows of several strata, fetched a batch at a time; `row` says where each stands in its source."""

    def __init__(self, sources: Sequence[TripletSource], strata: Sequence[Stratum]) -> None:
        self.sources, self.strata = sources, strata

    def __getitem__(self, row: Row) -> dict[str, Any]:
        return self.__getitems__([row])[0]

    def __getitems__(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        places: dict[int, list[int]] = defaultdict(list)
        for place, (number, _) in enumerate(rows):
            places[number].append(place)
        fetched: dict[int, Mapping[str, Any]] = {}
        for number, where in places.items():
            stratum = self.strata[number]
            numbers = stratum.rows[[rows[place][1] for place in where]].tolist()
            for place, row_number, row in zip(where, numbers, self.sources[stratum.source].rows(numbers), strict=True):
                fetched[place] = {**row, "row": (stratum.source, row_number)}
        return [dict(fetched[place]) for place in range(len(rows))]


class ResumableLoader(DataLoader[Any]):
    """Batches that threads make ahead of the step, and a place, so that a killed run goes on at the next unseen row.

    Threads, since the tokeniser, most of the work, runs beside Python. Worker processes would be forked from a process
    with threads (gloo's, TensorBoard's), which can leave them waiting on a lock for ever, or take seconds to begin.
    Lightning saves and restores `state_dict` of loaders that have it.
    """

    batch_sampler: MixedBatchSampler

    def __init__(self, rows: TripletRows, sampler: MixedBatchSampler, collate: Collate, workers: int) -> None:
        super().__init__(rows, batch_sampler=sampler, collate_fn=collate)
        self.rows, self.collate, self.workers = rows, collate, workers

    def __iter__(self) -> Iterator[TripletBatch]:  # type: ignore[override]
        for batch in self._made_ahead() if self.workers else map(self._make, self.batch_sampler):
            self.batch_sampler.given()
            yield batch

    def _made_ahead(self) -> Iterator[TripletBatch]:
        coming: deque[Future[TripletBatch]] = deque()
        with ThreadPoolExecutor(self.workers, "rows") as pool:
            for rows in self.batch_sampler:
                coming.append(pool.submit(self._make, rows))
                if len(coming) > 2 * self.workers:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()

    def _make(self, rows: Sequence[Row]) -> TripletBatch:
        return self.collate(self.rows.__getitems__(rows))

    def state_dict(self) -> dict[str, Any]:
        return asdict(self.batch_sampler.place)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.batch_sampler.place = place_of(state)


def place_of(state: Mapping[str, Any]) -> Place:
    return Place(**{**state, "waiting": tuple((source, row) for source, row in state["waiting"])})
