"""A run killed with SIGKILL half-way and resumed ends with the weights of one that was not (law 7)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

STEPS = 60


def start(folder: Path, tiny: Path, triplets: Path, *more: str) -> subprocess.Popen[str]:
    """`compret fit` with dropout, a worker and several epochs; every third step is saved."""
    command = [
        *(sys.executable, "-m", "compret", "fit", "--model.backbone", str(tiny), "--model.dropout", "0.2"),
        *("--data.files", f"[{triplets}]", "--data.batch_size", "8", "--trainer.max_steps", str(STEPS)),
        *("--trainer.default_root_dir", str(folder), "--checkpoint_every", "3", "--trainer.accelerator", "cpu"),
        *("--trainer.enable_progress_bar", "false", "--model.optimizer.lr", "1e-3", *more),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(run: subprocess.Popen[str]) -> None:
    _, said = run.communicate(timeout=120)
    assert run.returncode == 0, said


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["max_steps", "max_epochs"])
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, tiny: Path, triplets: Path, limit: str) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    # eight epochs of seven batches; with a limit of epochs Lightning makes the loader before it restores the run
    ends = ("--trainer.max_steps", "-1", "--trainer.max_epochs", "8") if limit == "max_epochs" else ()
    finish(start(whole, tiny, triplets, *ends))

    run = start(broken, tiny, triplets, *ends)
    last = broken / "checkpoints" / "fit" / "version_0" / "last.ckpt"
    while run.poll() is None and not last.exists():
        time.sleep(0.002)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    step = torch.load(last, weights_only=True)["global_step"]
    assert 0 < step < 56
    assert step % 7
    assert not (last.parent / "export").exists()

    finish(start(broken, tiny, triplets, "--ckpt_path", str(last), *ends))
    expected = load_file(whole / "checkpoints" / "fit" / "version_0" / "export" / "model.safetensors")
    resumed = load_file(broken / "checkpoints" / "fit" / "version_1" / "export" / "model.safetensors")
    moved = max((expected[k] - load_file(tiny / "model.safetensors")[k]).abs().max() for k in expected)
    assert moved > 1e-3
    for name, tensor in expected.items():
        torch.testing.assert_close(resumed[name], tensor, rtol=0, atol=1e-6)
