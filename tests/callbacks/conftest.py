"""A fit of the tiny model in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def fit(compret: Run, tiny: Path, triplets: Path) -> Run:
    """`compret fit` on 59 rows, 8 a step, with further options."""
    return lambda *more: compret(
        *("fit", "--model.backbone", tiny, "--data.files", f"[{triplets}]", "--data.batch_size", 8),
        *("--data.workers", 0, "--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"),
        *("--trainer.enable_model_summary", "false", *more),
    )
