"""Triplets: training rows of several sources, mixed by weight and split by anchor, with suites as validation."""

from __future__ import annotations

import logging
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from compret.data.collate import Collate, text_key
from compret.data.held_out import HeldOut
from compret.data.leakage import Leakage, leaked, near_miss_keys
from compret.data.sampling import MixedBatchSampler, Place
from compret.data.triplet_tables import load_triplets
from compret.distributed import rank, world_size
from compret.evaluation.names import check_names
from compret.evaluation.suite import Suite, check_apart, suite_loader
from compret.types import Row, TripletBatch, UserError

if TYPE_CHECKING:
    from datasets import Dataset as ArrowTable

log = logging.getLogger(__name__)

_SPLIT_STEPS = 1 << 20


class Triplets(LightningDataModule):
    """Training rows: anchor, positive and, where a source has it, negative.

    A row that is a near-miss pair (it has a category, or is an identity row of sentence1, sentence2) gets the query
    prompt on all its texts, as pairs get in testing. A row without a category is a question and its passages: positive
    and negative get the document prompt. Rows whose negative is their own anchor or positive are left out, and counted
    in the log and in the export's model card.

    Args:
        files: sources of triplets: CSV, TSV, JSON lines or Parquet files, `pydoc:retrieval`, saved
            datasets or hub ids (`owner/name:split`, `owner/name@revision:split`).
        weights: share of each source among the rows drawn, so that the share of structural rows is one number; by the
            number of their rows if not given.
        batch_size: rows a step and a device.
        holdout: share of the anchors kept out of training for the validation loss; all rows of an anchor go together.
        validation: suites that are run as validation; a dataset of `test` is refused here.
        test: suites that `compret test` runs with the same config.
        random_negatives: give each row without a negative the positive of another row, drawn with the seed.
        allow_duplicates: let equal anchors or positives meet in a batch (the paper's plain shuffle).
        passes: passes of the backbone that a batch is cut into, by length.
        workers: threads that tokenise ahead of the step; 0 tokenises within it.
        seed: of the split, the shuffle and the random negatives.
        validation_rows: at most so many held-out rows are used.
        leakage: what becomes of rows with a text of a near-miss set that the run validates or tests on: drop (and
            count), refuse, ignore.
    """

    def __init__(
        self,
        files: list[str] | None = None,
        weights: list[float] | None = None,
        batch_size: int = 64,
        holdout: float = 0.01,
        validation: list[Suite] | None = None,
        test: list[Suite] | None = None,
        random_negatives: bool = False,
        allow_duplicates: bool = False,
        passes: int = 4,
        workers: int = 1,
        seed: int = 42,
        validation_rows: int = 1000,
        leakage: Leakage = "drop",
    ) -> None:
        super().__init__()
        self.files = ["pydoc:retrieval"] if files is None else files
        self.weights = weights
        self.batch_size = batch_size
        self.holdout = holdout
        self.validation, self.test = validation or [], test or []
        self.random_negatives = random_negatives
        self.allow_duplicates = allow_duplicates
        self.passes = passes
        self.workers = workers
        self.seed = seed
        self.validation_rows = validation_rows
        self.leakage = leakage
        self._place = Place()
        self._sampler: MixedBatchSampler | None = None
        self._check_options()

    def _check_options(self) -> None:
        if not self.files:
            raise UserError("data.files: name at least one source of triplets")
        if self.weights is not None and len(self.weights) != len(self.files):
            raise UserError(f"data.weights: {len(self.weights)} weights for {len(self.files)} files")
        if self.weights is not None and (min(self.weights) < 0 or sum(self.weights) <= 0):
            raise UserError(f"data.weights {self.weights}: weights are at least 0 and not all 0")
        if self.batch_size < 1 or self.passes < 1:
            raise UserError("data.batch_size and data.passes must be at least 1")
        if self.workers < 0:
            raise UserError(f"data.workers {self.workers}: a number of threads, 0 for none")
        if not 0 <= self.holdout < 1:
            raise UserError(f"data.holdout {self.holdout}: a share from 0 to below 1")

    def setup(self, stage: str) -> None:
        """Open the sources and split them; once, and the same on every rank. A test needs none of them."""
        if hasattr(self, "sources") or stage == "test":
            return
        check_apart(self.validation, self.test)
        self.sources = [TripletSource(file, self.seed + i, self.random_negatives) for i, file in enumerate(self.files)]
        self._keep_apart()
        splits = [source.split(self.holdout, self.seed) for source in self.sources]
        self._train = [train for train, _ in splits]
        self._held_out = [held_out for _, held_out in splits]
        for suite in self.validation:
            if isinstance(suite, HeldOut):
                suite.take(self.sources, self._held_out, self.seed)
        for source, (train, held_out) in zip(self.sources, splits, strict=True):
            log.info("%s: %d rows to train on, %d held out", source.name, len(train), len(held_out))
            if source.dropped:
                told = "%s: %d rows are left out, since their negative is their own anchor or positive"
                log.warning(told, source.name, source.dropped)
        if sum(map(len, self._train)) < self.batch_size * world_size():
            raise UserError(f"data.batch_size {self.batch_size}: the files have only {sum(map(len, self._train))} rows")

    def _keep_apart(self) -> None:
        """No text of a near-miss set of this run is trained on."""
        seen = near_miss_keys([*self.validation, *self.test] if self.leakage != "ignore" else [])
        for source in self.sources:
            count = source.leave_out(seen)
            told = f"{source.name}: {count} rows hold a text of a near-miss set that this run validates or tests on"
            if count and self.leakage == "refuse":
                raise UserError(f"{told}; take them out, or set data.leakage drop")
            if count:
                log.warning("%s; they are left out (data.leakage)", told)

    @property
    def fingerprints(self) -> dict[str, str]:
        """Hash of the rows of each source, with the number of those that are left out."""
        return {source.name: source.told for source in self.sources}

    def read(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """Rows as a person looks them up: source by name, number of the row in it (from 0), texts."""
        return [{"source": self.files[s], "row": n, **self.sources[s].rows([n])[0]} for s, n in rows]

    def train_dataloader(self) -> ResumableLoader:
        keys = [source.keys[rows] for source, rows in zip(self.sources, self._train, strict=True)]
        weights = self.weights or [float(len(k)) for k in keys]
        for name, rows, weight in zip(self.files, keys, weights, strict=True):
            if weight > 0 and len(rows) == 0:
                raise UserError(f"{name}: no rows are left to train on; lower data.holdout")
        sampler = MixedBatchSampler(
            keys, weights, self.batch_size, self.seed, rank(), world_size(), self.allow_duplicates
        )
        sampler.place = self._place
        if self._place.rows != self._place.batches * sampler.global_batch:
            before = self._place.rows / self._place.batches
            log.warning("resumed with %d rows a step, before %g: the loss will differ", sampler.global_batch, before)
        self._sampler = sampler
        return ResumableLoader(TripletRows(self.sources, self._train), sampler, self._collate(), self.workers)

    def state_dict(self) -> dict[str, Any]:
        return asdict(self._sampler.place if self._sampler else self._place)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Before the loader is made, since Lightning asks for its length before it restores the loader's own state."""
        self._place = _place(state)

    def val_dataloader(self) -> list[DataLoader[Any]]:
        """The held-out rows in fixed batches, then the suites."""
        held_out = [(s, row) for s, rows in enumerate(self._held_out) for row in range(len(rows))]
        drawn = np.random.default_rng(self.seed).permutation(len(held_out))[: self.validation_rows]
        batches = _dealt([held_out[i] for i in sorted(drawn)], self.batch_size)
        rows = TripletRows(self.sources, self._held_out)
        loss = DataLoader(rows, batch_sampler=batches, collate_fn=self._collate()) if batches else None
        return [loader for loader in (loss, *(suite_loader(s, keep=True) for s in self.validation)) if loader]

    def test_dataloader(self) -> list[DataLoader[Any]]:
        if not self.test:
            raise UserError("data.test: names no suite; add some, or give a config of suites such as pydoc.yaml")
        check_names(name for suite in self.test for name in suite.names())
        check_apart(self.validation, self.test, read=True)
        return [suite_loader(suite) for suite in self.test]

    def _collate(self) -> Collate:
        assert self.trainer is not None
        return Collate(self.trainer.lightning_module.encoder.tokenizer, self.passes)  # type: ignore[arg-type, union-attr]


class TripletSource:
    """One opened source: its rows in memory-mapped Arrow, and the hashes of their anchors and positives."""

    def __init__(self, name: str, seed: int, random_negatives: bool) -> None:
        self.name = name
        self.table: ArrowTable = load_triplets(name)
        self.keys = np.stack([_column_keys(self.table, c) for c in ("anchor", "positive")], axis=1)
        """int64, `(rows, 2)`."""
        negatives = _column_keys(self.table, "negative")
        self.usable = (self.keys != negatives[:, None]).all(1)
        """bool, `(rows,)`: False where the negative is the anchor or the positive, and where a row is left out."""
        self.negatives = negatives
        self.dropped = int((~self.usable).sum())
        self.fingerprint = xxhash.xxh3_128_hexdigest(self.keys.tobytes() + negatives.tobytes())
        self.others = self._draw_others(seed) if random_negatives else None

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


class TripletRows(Dataset[dict[str, Any]]):
    """Rows of several sources, fetched a batch at a time; `row` says where each stands in its source."""

    def __init__(self, sources: Sequence[TripletSource], rows: Sequence[NDArray[np.int64]]) -> None:
        self.sources, self.row_numbers = sources, rows

    def __getitem__(self, row: Row) -> dict[str, Any]:
        return self.__getitems__([row])[0]

    def __getitems__(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        places: dict[int, list[int]] = defaultdict(list)
        for place, (source, _) in enumerate(rows):
            places[source].append(place)
        fetched: dict[int, Mapping[str, Any]] = {}
        for source, where in places.items():
            numbers = self.row_numbers[source][[rows[place][1] for place in where]].tolist()
            for place, number, row in zip(where, numbers, self.sources[source].rows(numbers), strict=True):
                fetched[place] = {**row, "row": (source, number)}
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
        self.batch_sampler.place = _place(state)


def _place(state: Mapping[str, Any]) -> Place:
    return Place(**{**state, "waiting": tuple((source, row) for source, row in state["waiting"])})


def _dealt(rows: list[Row], batch_size: int) -> list[list[Row]]:
    """This rank's fixed batches: as many on every rank, since each gathers from all; none for fewer rows than ranks."""
    whole = batch_size * world_size()
    ends = [*range(whole, len(rows) - world_size() + 1, whole), len(rows)]
    batches = [rows[start:end][rank() :: world_size()] for start, end in zip([0, *ends], ends, strict=False)]
    return batches if len(rows) >= world_size() else []


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


def _blocks(table: ArrowTable, column: str, rows: int = 10_000) -> Iterator[list[str]]:
    for start in range(0, len(table), rows):
        yield table[start : start + rows][column]
