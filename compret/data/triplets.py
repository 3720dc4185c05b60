"""Triplets: training rows, triplets and labelled pairs, mixed by weight and split by anchor; suites as validation."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from compret.data.collate import Collate
from compret.data.held_out import HeldOut
from compret.data.labels import Stratum
from compret.data.leakage import Leakage, near_miss_keys
from compret.data.row_loader import ResumableLoader, TripletRows, place_of
from compret.data.sampling import MixedBatchSampler, Place
from compret.data.triplet_source import TripletSource
from compret.distributed import rank, world_size
from compret.evaluation.names import check_names
from compret.evaluation.suite import Suite, check_apart, suite_loader
from compret.losses import Loss
from compret.types import Row, UserError

log = logging.getLogger(__name__)


class Triplets(LightningDataModule):
    """Training rows: anchor, positive and, where a source has it, negative; or labelled pairs.

    A labelled pair (anchor, candidate, label) has a positive or a negative alone; both labels of a source are drawn
    evenly, whatever their numbers.

    A row that is a near-miss pair (it has a category or a label, or is an identity row of sentence1, sentence2) gets
    the query prompt on all its texts, as pairs get in testing. A row without a category is a question and its passages:
    positive and negative get the document prompt. Rows whose negative is their own anchor or positive are left out, and
    counted in the log and in the export's model card.

    Args:
        files: sources of triplets or labelled pairs: CSV, TSV, JSON lines or Parquet files, `pydoc:retrieval`, saved
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
        overlap_matching: draw labelled pairs of both labels at equal word overlap, so that it does not tell them apart.
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
        overlap_matching: bool = False,
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
        self.overlap_matching = overlap_matching
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
        drawn, numbers = self.random_negatives, self._loss_columns()
        self.sources = [TripletSource(file, self.seed + i, drawn, numbers) for i, file in enumerate(self.files)]
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
        weights = self.weights or [float(len(rows)) for rows in self._train]
        for name, rows, weight in zip(self.files, self._train, weights, strict=True):
            if weight > 0 and len(rows) == 0:
                raise UserError(f"{name}: no rows are left to train on; lower data.holdout")
        strata = self._strata()
        keys = [self.sources[stratum.source].keys[stratum.rows] for stratum in strata]
        shares = [weights[stratum.source] * stratum.share for stratum in strata]
        sampler = MixedBatchSampler(
            keys, shares, self.batch_size, self.seed, rank(), world_size(), self.allow_duplicates
        )
        sampler.place = self._place
        if self._place.rows != self._place.batches * sampler.global_batch:
            before = self._place.rows / self._place.batches
            log.warning("resumed with %d rows a step, before %g: the loss will differ", sampler.global_batch, before)
        self._sampler = sampler
        return ResumableLoader(TripletRows(self.sources, strata), sampler, self._collate(), self.workers)

    def _strata(self) -> list[Stratum]:
        """The rows to train on, in parts that are drawn in proportion."""
        found: list[Stratum] = []
        for number, (source, rows) in enumerate(zip(self.sources, self._train, strict=True)):
            strata = source.strata(number, rows, self.overlap_matching)
            if left := len(rows) - sum(len(stratum.rows) for stratum in strata):
                told = "%s: %d rows are not drawn, since no pair of the other label has their overlap"
                log.warning(told, source.name, left)
            found += strata
        return found

    def _loss_columns(self) -> tuple[str, ...]:
        """The columns of numbers that the model's loss needs of every row."""
        loss = getattr(getattr(self.trainer, "lightning_module", None), "loss", None)
        return tuple(loss.needs.columns) if isinstance(loss, Loss) else ()

    def state_dict(self) -> dict[str, Any]:
        return asdict(self._sampler.place if self._sampler else self._place)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Before the loader is made, since Lightning asks for its length before it restores the loader's own state."""
        self._place = place_of(state)

    def val_dataloader(self) -> list[DataLoader[Any]]:
        """The held-out rows in fixed batches, then the suites."""
        held_out = [(s, row) for s, rows in enumerate(self._held_out) for row in range(len(rows))]
        drawn = np.random.default_rng(self.seed).permutation(len(held_out))[: self.validation_rows]
        batches = _fixed_batches([held_out[i] for i in sorted(drawn)], self.batch_size)
        rows = TripletRows(self.sources, [Stratum(i, rows, 1.0) for i, rows in enumerate(self._held_out)])
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
        tokenizer: Any = self.trainer.lightning_module.encoder.tokenizer  # type: ignore[union-attr]
        return Collate(tokenizer, self.passes, columns=self._loss_columns())


def _fixed_batches(rows: list[Row], batch_size: int) -> list[list[Row]]:
    """This rank's fixed batches: as many on every rank, since each gathers from all; none for fewer rows than ranks."""
    whole = batch_size * world_size()
    ends = [*range(whole, len(rows) - world_size() + 1, whole), len(rows)]
    batches = [rows[start:end][rank() :: world_size()] for start, end in zip([0, *ends], ends, strict=False)]
    return batches if len(rows) >= world_size() else []
