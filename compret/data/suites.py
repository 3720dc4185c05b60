"""Suites as LightningDataModules: each batch of a suite's loader is one whole dataset, read when its turn comes."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from compret.data.names import check_names
from compret.data.nearmiss import joined, load_near_misses
from compret.data.retrieval import Source, find_sources, load_retrieval_set
from compret.types import Kind, NearMissSet, RetrievalSet, UserError

EvaluationSet = RetrievalSet | NearMissSet


class Suite(LightningDataModule):
    """A benchmark of named datasets; `compret test` and `compret validate` run all of them."""

    @abstractmethod
    def names(self) -> list[str]:
        """What the datasets are called, in order."""

    @abstractmethod
    def load(self, index: int) -> EvaluationSet:
        """Read one dataset."""

    def test_dataloader(self) -> Any:
        check_names(self.names())
        return suite_loader(self)

    def val_dataloader(self) -> Any:
        return self.test_dataloader()


class NanoBEIR(Suite):
    """Retrieval sets: the 13 of NanoBEIR, or any BEIR directories or hub repositories.

    Args:
        source: hub id or folder in NanoBEIR-en layout, an owner with one repository a dataset (`zeta-alpha-ai`),
            `BeIR`, a folder of BEIR directories, or `pydoc` (the embedded data).
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

    @property
    def sources(self) -> list[Source]:
        if self._sources is None:
            self._sources = find_sources(self.source, self.datasets)
        return self._sources

    def names(self) -> list[str]:
        return [source.name for source in self.sources]

    def load(self, index: int) -> RetrievalSet:
        return load_retrieval_set(self.sources[index], self.distractors, self.seed)


class NearMissPairs(Suite):
    """Near-miss files, each a set named by its file's stem.

    Args:
        files: files of anchor, candidate, label, category; `pydoc:nearmiss` is the embedded one.
        validation_files: pairs on which the best-F1 threshold is chosen; f1 and threshold are null without them.
    """

    def __init__(self, files: list[str] | None = None, validation_files: list[str] | None = None) -> None:
        super().__init__()
        self.files = ["pydoc:nearmiss"] if files is None else files
        embedded = ["pydoc:nearmiss_validation"] if files is None else []
        self.validation_files = embedded if validation_files is None else validation_files
        if not self.files:
            raise UserError("data.files: name at least one near-miss file")
        if set(self.files) & set(self.validation_files):
            raise UserError("data.validation_files: a threshold may not be chosen on a test file")

    def names(self) -> list[str]:
        return [file.partition(":")[2] if file.startswith("pydoc:") else Path(file).stem for file in self.files]

    def load(self, index: int) -> NearMissSet:
        validation = [load_near_misses(file) for file in self.validation_files]
        return replace(load_near_misses(self.files[index]), validation=joined(validation) if validation else None)


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


def suite_loader(suite: Suite, keep: bool = False) -> DataLoader[EvaluationSet]:
    """One dataset a batch; `keep` holds them in memory for repeated validation."""
    return DataLoader(_Datasets(suite, keep), batch_size=None, shuffle=False)
