"""A SLURM job on two ranks that is told to end saves, queues again, and goes on in its folder; SLURM is faked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

STEPS = 60


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """Variables of a task of job 77, an array's second, and an `scontrol` that writes down what it is asked."""
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    scontrol.chmod(0o755)
    port = 20000 + os.getpid() % 20000
    job = {"JOB_ID": 77, "ARRAY_JOB_ID": 76, "ARRAY_TASK_ID": 43, "JOB_NAME": "train", "STEP_ID": 0, "NODEID": 0}
    tasks = {"NTASKS": 2, "NTASKS_PER_NODE": 2, "NNODES": 1, "NODELIST": "localhost"}
    variables = {f"SLURM_{name}": str(value) for name, value in {**job, **tasks}.items()}
    path = f"{scontrol.parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, **variables, "PATH": path, "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}


def start(folder: Path, tiny: Path, file: Path, slurm: dict[str, str], restarts: int) -> list[subprocess.Popen[str]]:
    command = [
        *(sys.executable, "-m", "compret", "fit", "--model.backbone", str(tiny), "--model.gradient_checkpointing"),
        *("true", "--data.files", f"[{file}]", "--data.batch_size", "4", "--trainer.max_steps", str(STEPS)),
        *("--trainer.default_root_dir", str(folder), "--checkpoint_every", "10", "--trainer.accelerator", "cpu"),
        *("--trainer.devices", "2", "--trainer.strategy", "ddp", "--trainer.enable_progress_bar", "false"),
    ]
    ranks = [{"SLURM_PROCID": str(r), "SLURM_LOCALID": str(r), "SLURM_RESTART_COUNT": str(restarts)} for r in (0, 1)]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return [subprocess.Popen(command, env={**slurm, **rank}, **pipes) for rank in ranks]


@pytest.mark.slow
def test_a_requeued_job_goes_on_in_its_folder(
    tmp_path: Path, tiny: Path, triplets: Path, slurm: dict[str, str]
) -> None:
    run = tmp_path / "checkpoints" / "fit" / "version_0"
    first = start(tmp_path, tiny, triplets, slurm, 0)
    while all(task.poll() is None for task in first) and not (run / "last.ckpt").exists():
        time.sleep(0.01)
    for task in first:
        task.send_signal(signal.SIGUSR1)
        time.sleep(0.004)  # not in one instant: ranks are told at different places of their steps
    asked = tmp_path / "asked"
    while all(task.poll() is None for task in first) and not asked.exists():
        time.sleep(0.01)
    for task in first:
        task.kill()
    said = [task.communicate()[1] for task in first]
    assert asked.exists(), said
    assert asked.read_text() == "requeue 76_43\n"
    step = torch.load(run / "last.ckpt", weights_only=True)["global_step"]
    assert 0 < step < STEPS

    second = start(tmp_path, tiny, triplets, slurm, 1)
    said = [task.communicate(timeout=120)[1] for task in second]
    assert [task.returncode for task in second] == [0, 0], said
    assert f"the restarted SLURM job goes on in {run}" in said[0]
    assert f"Restored all states from the checkpoint at {run / 'last.ckpt'}" in said[0]
    assert torch.load(run / "last.ckpt", weights_only=True)["global_step"] == STEPS
    assert (run / "export" / "model.safetensors").is_file()
    assert {p.name for room in ("logs", "checkpoints") for p in (tmp_path / room / "fit").iterdir()} == {"version_0"}
