"""Several suites as one, for a single test run."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import LightningDataModule

from compret.evaluation.names import check_names
from compret.evaluation.suite import Suite, suite_loader


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
