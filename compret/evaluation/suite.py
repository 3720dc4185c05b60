"""The suite protocol: a LightningDataModule that names sets and loads them; each batch is one set, read in its turn."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset

from compret.evaluation.names import check_names
from compret.evaluation.result import EvaluationSet
from compret.types import UserError, Whole


class Suite(LightningDataModule, ABC):
    """A benchmark of named sets; `compret test` and `compret validate` run all of them."""

    holds: type | None = None
    """What its sets are, where that is known before they are read."""

    @abstractmethod
    def names(self) -> list[str]:
        """What the sets are called, in order."""

    @abstractmethod
    def load(self, index: int) -> EvaluationSet:
        """Read one set."""

    def places(self) -> list[str]:
        """Where the sets come from, in order: equal places are the same data."""
        return [f"{type(self).__module__}.{type(self).__qualname__} {name}" for name in self.names()]

    def test_dataloader(self) -> Any:
        check_names(self.names())
        return suite_loader(self)

    def val_dataloader(self) -> Any:
        return self.test_dataloader()


class _Sets(Dataset[Whole[EvaluationSet]]):
    """A suite's sets by index; where they are kept, validation reads each once."""

    def __init__(self, suite: Suite, keep: bool) -> None:
        self.suite = suite
        self.kept: dict[int, EvaluationSet] | None = {} if keep else None

    def __len__(self) -> int:
        return len(self.suite.names())

    def __getitem__(self, index: int) -> Whole[EvaluationSet]:
        if self.kept is None:
            return Whole(self.suite.load(index))
        if index not in self.kept:
            self.kept[index] = self.suite.load(index)
        return Whole(self.kept[index])


def suite_loader(suite: Suite, keep: bool = False) -> DataLoader[Whole[EvaluationSet]]:
    """One set a batch; `keep` holds them in memory for repeated validation."""
    return DataLoader(_Sets(suite, keep), batch_size=None, shuffle=False)


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
    """Place of each set, and the fingerprint of what it holds if it is read -> its name."""
    found: dict[str, str] = {}
    for suite in suites:
        found |= zip(suite.places(), suite.names(), strict=True)
        if read:
            found |= {suite.load(index).fingerprint: name for index, name in enumerate(suite.names())}
    return found
