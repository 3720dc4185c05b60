"""A run killed with SIGKILL half-way and resumed ends with the weights of one that was not (law 7)."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import WORDS, write_lines
from tests.processes import COMPRET, ON_CPU, run_here, start, step_of, wait_until

STEPS = 56
"""Eight epochs of seven batches."""


@dataclass(frozen=True)
class Runs:
    """Two fits of the same rows: one that ended, and one that was killed."""

    rows: Path
    whole: Path
    last: Path
    """The checkpoint that the killed one left."""


def fit(folder: Path, tiny: Path, rows: Path, *more: object) -> list[object]:
    """`compret fit` with dropout, a worker and several epochs; every third step is saved."""
    return [
        *(*COMPRET, "fit", "--model.backbone", tiny, "--model.dropout", 0.2, "--model.optimizer.lr", 1e-3, *ON_CPU),
        *("--data.files", f"[{rows}]", "--data.batch_size", 8, "--data.holdout", 0, "--trainer.max_steps", STEPS),
        *("--trainer.default_root_dir", folder, "--checkpoint_every", 3, *more),
    ]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Runs:
    root = tmp_path_factory.mktemp("runs")
    texts = [f"the {'very ' * (i % 5)}old dog saw the {WORDS[i % 40 + 8]} {i}" for i in range(59)]
    rows = [{"anchor": t, "positive": f"{t} in the river", "negative": t.replace("saw", "bit")} for t in texts]
    file = write_lines(root / "rows.jsonl", rows)
    run_here(fit(root / "whole", tiny, file))
    run = start(fit(root / "broken", tiny, file))
    last = root / "broken" / "checkpoints" / "fit" / "version_0" / "last.ckpt"
    assert wait_until(lambda: step_of(last) > 0, run)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    return Runs(file, root / "whole", last)


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["max_steps", "max_epochs"])
def test_a_killed_run_goes_on_where_it_was(runs: Runs, tmp_path: Path, tiny: Path, limit: str) -> None:
    """With a limit of epochs Lightning makes the loader before it restores the run."""
    assert 0 < step_of(runs.last) < STEPS
    assert step_of(runs.last) % 7
    assert not (runs.last.parent / "export").exists()
    ends = ("--trainer.max_steps", -1, "--trainer.max_epochs", 8) if limit == "max_epochs" else ()
    run_here(fit(tmp_path, tiny, runs.rows, "--ckpt_path", runs.last, *ends))
    expected, resumed = (
        load_file(folder / "checkpoints" / "fit" / "version_0" / "export" / "model.safetensors")
        for folder in (runs.whole, tmp_path)
    )
    moved = max((expected[k] - load_file(tiny / "model.safetensors")[k]).abs().max() for k in expected)
    assert moved > 1e-3
    for name, tensor in expected.items():
        torch.testing.assert_close(resumed[name], tensor, rtol=0, atol=1e-6)
