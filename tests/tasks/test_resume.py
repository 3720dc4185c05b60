"""A run killed with SIGKILL half-way and resumed ends with the weights of one that was not (law 7)."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.processes import COMPRET, ON_CPU, run_here, start, step_of, wait_until

STEPS = 60


def fit(folder: Path, tiny: Path, triplets: Path, *more: str) -> list[object]:
    """`compret fit` with dropout, a worker and several epochs; every third step is saved."""
    return [
        *(*COMPRET, "fit", "--model.backbone", tiny, "--model.dropout", 0.2, "--model.optimizer.lr", 1e-3, *ON_CPU),
        *("--data.files", f"[{triplets}]", "--data.batch_size", 8, "--trainer.max_steps", STEPS),
        *("--trainer.default_root_dir", folder, "--checkpoint_every", 3, *more),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["max_steps", "max_epochs"])
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, tiny: Path, triplets: Path, limit: str) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    # eight epochs of seven batches; with a limit of epochs Lightning makes the loader before it restores the run
    ends = ("--trainer.max_steps", "-1", "--trainer.max_epochs", "8") if limit == "max_epochs" else ()
    run_here(fit(whole, tiny, triplets, *ends))

    run = start(fit(broken, tiny, triplets, *ends))
    last = broken / "checkpoints" / "fit" / "version_0" / "last.ckpt"
    assert wait_until(lambda: step_of(last) > 0, run)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    step = step_of(last)
    assert 0 < step < 56
    assert step % 7
    assert not (last.parent / "export").exists()

    run_here(fit(broken, tiny, triplets, "--ckpt_path", str(last), *ends))
    expected = load_file(whole / "checkpoints" / "fit" / "version_0" / "export" / "model.safetensors")
    resumed = load_file(broken / "checkpoints" / "fit" / "version_1" / "export" / "model.safetensors")
    moved = max((expected[k] - load_file(tiny / "model.safetensors")[k]).abs().max() for k in expected)
    assert moved > 1e-3
    for name, tensor in expected.items():
        torch.testing.assert_close(resumed[name], tensor, rtol=0, atol=1e-6)
