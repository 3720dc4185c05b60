"""A SLURM job on two ranks that is told to end saves, queues again, and goes on in its folder; SLURM is faked."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.processes import COMPRET, ON_CPU, TWO_RANKS, start, step_of, wait_until

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
    return {**variables, "PATH": path, "MASTER_PORT": str(port)}


def fit(folder: Path, tiny: Path, file: Path, slurm: dict[str, str], restarts: int) -> list[subprocess.Popen[str]]:
    command = [
        *(*COMPRET, "fit", "--model.backbone", tiny, "--model.gradient_checkpointing", "true", *ON_CPU, *TWO_RANKS),
        *("--data.files", f"[{file}]", "--data.batch_size", 4, "--trainer.max_steps", STEPS),
        *("--trainer.default_root_dir", folder, "--checkpoint_every", 10),
        *("--config", "cluster/slurm.yaml", "--trainer.precision", "32-true"),
    ]
    ranks = [{"SLURM_PROCID": str(r), "SLURM_LOCALID": str(r), "SLURM_RESTART_COUNT": str(restarts)} for r in (0, 1)]
    return [start(command, env={**slurm, **rank}) for rank in ranks]


@pytest.mark.slow
def test_a_requeued_job_goes_on_in_its_folder(
    tmp_path: Path, tiny: Path, triplets: Path, slurm: dict[str, str]
) -> None:
    run = tmp_path / "checkpoints" / "fit" / "version_0"
    first = fit(tmp_path, tiny, triplets, slurm, 0)
    assert wait_until(lambda: step_of(run / "last.ckpt") > 0, first[0])
    for task in first:
        task.send_signal(signal.SIGUSR1)
        time.sleep(0.004)  # not in one instant: ranks are told at different places of their steps
    asked = tmp_path / "asked"
    wait_until(asked.exists, first[0])
    for task in first:
        task.kill()
    said = [task.communicate()[1] for task in first]
    assert asked.exists(), said
    assert asked.read_text() == "requeue 76_43\n"
    assert 0 < step_of(run / "last.ckpt") < STEPS

    second = fit(tmp_path, tiny, triplets, slurm, 1)
    said = [task.communicate(timeout=180)[1] for task in second]
    assert [task.returncode for task in second] == [0, 0], said
    assert f"the restarted SLURM job goes on in {run}" in said[0]
    assert f"goes on from {run / 'last.ckpt'}: from step " in said[0]
    assert step_of(run / "last.ckpt") == STEPS
    assert (run / "export" / "model.safetensors").is_file()
    assert {p.name for room in ("logs", "checkpoints") for p in (tmp_path / room / "fit").iterdir()} == {"version_0"}
