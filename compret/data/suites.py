"""Suites as LightningDataModules: each batch of a suite's loader is one whole dataset, read when its turn comes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from compret.data.names import check_names
from compret.data.near_miss import PairFilter, joined, load_near_misses, near_miss_name
from compret.data.nevir import load_nevir
from compret.data.records import local_path
from compret.data.retrieval import Source, find_sources, load_retrieval_set
from compret.types import ContrastSet, EvaluationSet, Kind, NearMissSet, RetrievalSet, UserError


class Suite(LightningDataModule):
    """A benchmark of named datasets; `compret test` and `compret validate` run all of them."""

    holds: type | None = None
    """What its datasets are, where that is known before they are read."""

    @abstractmethod
    def names(self) -> list[str]:
        """What the datasets are called, in order."""

    @abstractmethod
    def load(self, index: int) -> EvaluationSet:
        """Read one dataset."""

    @abstractmethod
    def places(self) -> list[str]:
        """Where the datasets come from, in order: equal places are the same data."""

    def test_dataloader(self) -> Any:
        check_names(self.names())
        return suite_loader(self)

    def val_dataloader(self) -> Any:
        return self.test_dataloader()


class NanoBEIR(Suite):
    """Retrieval sets: the 13 of NanoBEIR, or any BEIR directories or hub repositories.

    Args:
        source: hub id (`owner/name`, `owner/name@revision`) or folder in NanoBEIR-en layout, an owner with one
            repository a dataset (`zeta-alpha-ai`), `BeIR`, a folder of BEIR directories, or `pydoc`, the embedded data.
        datasets: names, such as [msmarco,nq] or the folders' own; all that the source has if not given.
        distractors: keep the judged documents and this many others, drawn with `seed`.
        seed: of that draw.
    """

    def __init__(
        self,
        source: str = "sentence-transformers/NanoBEIR-en",
        datasets: list[str] | None = None,
        distractors: int | None = None,
        seed: int = 42,
    ) -> None:
        super().__init__()
        self.source, self.datasets = source, datasets
        self.distractors, self.seed = distractors, seed
        self._sources: list[Source] | None = None
        if distractors is not None and distractors < 0:
            raise UserError(f"data.distractors {distractors}: a number of documents, 0 or more")

    @property
    def sources(self) -> list[Source]:
        if self._sources is None:
            self._sources = find_sources(self.source, self.datasets)
        return self._sources

    def names(self) -> list[str]:
        return [source.name for source in self.sources]

    def load(self, index: int) -> RetrievalSet:
        return load_retrieval_set(self.sources[index], self.distractors, self.seed)

    def places(self) -> list[str]:
        return [f"{_place(self.source)} {name}" for name in self.names()]


class NearMissPairs(Suite):
    """Near-miss files, each a set named by its file's stem.

    Args:
        files: files of anchor, candidate, label, category; `minimal_pairs:test` is the embedded one, MinimalPairs.
        validation_files: pairs on which the best-F1 threshold is chosen; f1 and threshold are null without them.
        min_candidate_length: characters; pairs of shorter candidates are left out and counted (21 in the paper's test).
        drop_containing: pairs whose candidate contains one of these texts are left out and counted (the paper's test
            drops three placeholders).
    """

    holds = NearMissSet

    def __init__(
        self,
        files: list[str] | None = None,
        validation_files: list[str] | None = None,
        min_candidate_length: int = 0,
        drop_containing: list[str] | None = None,
    ) -> None:
        super().__init__()
        self.files = ["minimal_pairs:test"] if files is None else files
        embedded = ["minimal_pairs:validation"] if files is None else []
        self.validation_files = embedded if validation_files is None else validation_files
        self.keep = PairFilter(min_candidate_length, tuple(drop_containing or ()))
        if not self.files:
            raise UserError("data.files: name at least one near-miss file")
        if min_candidate_length < 0 or "" in self.keep.drop_containing:
            raise UserError("data.min_candidate_length is at least 0, and data.drop_containing holds no empty text")
        if set(self.places()) & set(map(_place, self.validation_files)):
            raise UserError("data.validation_files: a threshold may not be chosen on a test file")

    def names(self) -> list[str]:
        return [near_miss_name(file) for file in self.files]

    def load(self, index: int) -> NearMissSet:
        """Read a file and the validation files.

        Raises:
            UserError: they cannot be read, or a validation file holds the same pairs.
        """
        test = load_near_misses(self.files[index], self.keep)
        validation = [load_near_misses(file, self.keep) for file in self.validation_files]
        for file, found in zip(self.validation_files, validation, strict=True):
            if found.fingerprint == test.fingerprint:
                raise UserError(f"data.validation_files: {file} holds the pairs of {self.files[index]}, a test file")
        return replace(test, validation=joined(validation) if validation else None)

    def places(self) -> list[str]:
        return list(map(_place, self.files))


class NevIR(Suite):
    """NevIR (Weller et al. 2024): queries and documents that differ in a negation, scored by paired accuracy.

    Args:
        source: hub id (`owner/name` or `owner/name@revision`), folder or file with the columns q1, q2, doc1, doc2.
        split: of a hub id or folder.
    """

    def __init__(self, source: str = "orionweller/NevIR", split: str = "test") -> None:
        super().__init__()
        self.source, self.split = source, split

    def names(self) -> list[str]:
        return [Path(self.source).stem if local_path(self.source).is_file() else "NevIR"]

    def load(self, index: int) -> ContrastSet:
        return load_nevir(self.source, self.split, self.names()[index])

    def places(self) -> list[str]:
        return [f"{_place(self.source)} {self.split}"]


class Suites(LightningDataModule):
    """Several suites for one run.

    Args:
        suites: the suites, in order.
    """

    def __init__(self, suites: list[Suite]) -> None:
        super().__init__()
        self.suites = suites

    def test_dataloader(self) -> Any:
        check_names(name for suite in self.suites for name in suite.names())
        return [suite_loader(suite) for suite in self.suites]

    def val_dataloader(self) -> Any:
        return self.test_dataloader()


class Texts(LightningDataModule):
    """A text file to embed, one text a line.

    Args:
        file: the texts.
        output: where the vectors go: .npy (float32 matrix) or .parquet (columns text, embedding).
        kind: which prompt the texts get.
    """

    def __init__(self, file: str, output: str = "embeddings.npy", kind: Kind = "document") -> None:
        super().__init__()
        self.file, self.output, self.kind = file, output, kind

    def predict_dataloader(self) -> Any:
        from compret.data.texts import load_texts

        return DataLoader([load_texts(self.file, self.output, self.kind)], batch_size=None)  # type: ignore[arg-type]


class _Datasets(Dataset[EvaluationSet]):
    """A suite's datasets by index; the last one read is kept, so that validation reads a single set once."""

    def __init__(self, suite: Suite, keep: bool) -> None:
        self.suite = suite
        self.kept: dict[int, EvaluationSet] | None = {} if keep else None

    def __len__(self) -> int:
        return len(self.suite.names())

    def __getitem__(self, index: int) -> EvaluationSet:
        if self.kept is None:
            return self.suite.load(index)
        if index not in self.kept:
            self.kept[index] = self.suite.load(index)
        return self.kept[index]


def check_apart(validation: Sequence[Suite], test: Sequence[Suite], read: bool = False) -> None:
    """Refuse a test set among the validation sets: a checkpoint would be chosen on it.

    Args:
        read: compare what they hold, too; else only where they come from.

    Raises:
        UserError: one is there.
    """
    chosen_on = _identities(validation, read) if test else {}
    for identity, name in (_identities(test, read) if chosen_on else {}).items():
        if identity in chosen_on:
            raise UserError(f"data.test: '{name}' is among data.validation, on which a checkpoint is chosen")


def _identities(suites: Sequence[Suite], read: bool) -> dict[str, str]:
    """Place of each dataset, and the fingerprint of what it holds if it is read -> its name."""
    found: dict[str, str] = {}
    for suite in suites:
        found |= zip(suite.places(), suite.names(), strict=True)
        if read:
            found |= {suite.load(index).fingerprint: name for index, name in enumerate(suite.names())}
    return found


def _place(source: str) -> str:
    """A file's or folder's real path; other sources as they are written."""
    path = local_path(source)
    return str(path.resolve()) if path.exists() else source


def suite_loader(suite: Suite, keep: bool = False) -> DataLoader[EvaluationSet]:
    """One dataset a batch; `keep` holds them in memory for repeated validation."""
    return DataLoader(_Datasets(suite, keep), batch_size=None, shuffle=False)
