"""configs/cluster: each overlay fits any config; torchrun's trains; the SLURM scripts launch what they say.

Those of one machine, of shards and of SLURM train in distributed/: test_fit.py, test_shards.py, test_requeue.py.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from compret.config_files import shipped_configs
from compret.distributed import Job, Launch, check_cores, check_launch, launch, slurm_job
from compret.types import UserError
from tests.processes import outcome

CLUSTER = shipped_configs()[-1] / "cluster"
Run = Callable[..., tuple[int, str]]


@pytest.mark.parametrize("base", ["encoder_structneg.yaml", "verifier_transformer_e2e.yaml", "paper/encoder.yaml"])
@pytest.mark.parametrize("overlay", sorted(CLUSTER.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_overlay_goes_behind_any_config(compret: Run, base: str, overlay: Path) -> None:
    alone, both = (
        compret("fit", "--config", base, *more, "--print_config")
        for more in ([], ["--config", f"cluster/{overlay.name}"])
    )
    assert both[0] == 0, both[1]
    before, after = (yaml.safe_load(said) for _, said in (alone, both))
    given = yaml.safe_load(overlay.read_text())
    assert {k: v for k, v in after.items() if k not in given} == {k: v for k, v in before.items() if k not in given}
    assert after["trainer"]["precision"] == "bf16-mixed"
    assert after["trainer"]["max_steps"] == before["trainer"]["max_steps"]


def command(folder: Path, tiny: Path, triplets: Path) -> list[str]:
    """One step on two CPU processes with the overlay for torchrun."""
    return [
        *("compret", "fit", "--config", "encoder_structneg.yaml", "--config", "cluster/torchrun.yaml"),
        *("--model.backbone", str(tiny), "--model.max_length", "32", "--data.files", f"[{triplets}]"),
        *("--data.weights", "null", "--data.batch_size", "8", "--data.validation", "null", "--data.workers", "0"),
        *("--trainer.max_steps", "1", "--trainer.default_root_dir", str(folder), "--trainer.accelerator", "cpu"),
        *("--trainer.devices", "2", "--trainer.num_nodes", "1", "--trainer.precision", "32-true"),
        *("--trainer.enable_progress_bar", "false"),
    ]


def versions(folder: Path, name: str = "encoder_structneg") -> list[str]:
    return sorted(
        f"{room}/{path.name}" for room in ("logs", "checkpoints") for path in (folder / room / name).iterdir()
    )


TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m"]


@pytest.mark.slow
def test_torchrun_trains_into_one_folder(tmp_path: Path, tiny: Path, triplets: Path) -> None:
    code, said = outcome([*TORCHRUN, *command(tmp_path, tiny, triplets)])
    assert code == 0, said
    assert versions(tmp_path) == ["checkpoints/version_0", "logs/version_0"]


@pytest.mark.slow
def test_processes_that_torchrun_started_alone_say_so(tmp_path: Path, tiny: Path, triplets: Path) -> None:
    arguments = [
        *command(tmp_path, tiny, triplets),
        "--trainer.devices",
        "auto",
        "--trainer.strategy",
        "auto",
    ]
    code, said = outcome([*TORCHRUN, *arguments])
    assert code != 0
    assert "torchrun started 2 processes on 1 node, the trainer counts 1 on 1: add --trainer.devices 2 " in said
    assert "--trainer.strategy ddp" in said
    assert not (tmp_path / "checkpoints").exists() or not list((tmp_path / "checkpoints").rglob("*.ckpt"))


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No launcher's variables."""
    for name in [name for name in os.environ if name.startswith(("SLURM_", "TORCHELASTIC_", "RANK", "LOCAL_RANK"))]:
        monkeypatch.delenv(name)
    return monkeypatch


def test_what_torchrun_started_is_compared(alone: pytest.MonkeyPatch) -> None:
    assert launch() == Launch("", 0, 1, 1)
    check_launch(8, 2)  # Lightning starts them itself
    for name, value in {"WORLD_SIZE": 16, "LOCAL_WORLD_SIZE": 8, "RANK": 3, "TORCHELASTIC_RUN_ID": "run"}.items():
        alone.setenv(name, str(value))
    assert launch() == Launch("torchrun", 3, 16, 2)
    check_launch(8, 2)
    with pytest.raises(UserError, match=r"16 processes on 2 nodes, .* counts 8 on 1: add .*devices 8 .*num_nodes 2 "):
        check_launch(8, 1)


def test_what_srun_started_is_compared(alone: pytest.MonkeyPatch) -> None:
    tasks = {"NTASKS": 8, "NNODES": 2, "PROCID": 5, "JOB_ID": 7, "JOB_NAME": "train"}
    for name, value in tasks.items():
        alone.setenv(f"SLURM_{name}", str(value))
    with pytest.raises(UserError, match="started without srun: write srun before compret"):
        check_launch(4, 2)
    assert slurm_job() is None
    alone.setenv("SLURM_STEP_ID", "0")
    assert launch() == Launch("srun", 5, 8, 2)
    check_launch(4, 2)
    with pytest.raises(UserError, match="srun started 8 processes on 2 nodes"):
        check_launch(4, 1)
    assert slurm_job() == Job("7", "7", False)
    for name, value in {"ARRAY_JOB_ID": 6, "ARRAY_TASK_ID": 43, "RESTART_COUNT": 1}.items():
        alone.setenv(f"SLURM_{name}", str(value))
    assert slurm_job() == Job("7", "6_43", True)


def test_more_processes_than_cores_are_refused_unless_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPRET_MORE_RANKS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    check_cores(3)
    with pytest.raises(UserError, match="devices 4: this machine has 3 CPU cores.* COMPRET_MORE_RANKS=1"):
        check_cores(4)
    monkeypatch.setenv("COMPRET_MORE_RANKS", "1")
    check_cores(4)


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("slurm.sbatch", "--trainer.num_nodes 2 --trainer.devices 4 --trainer.default_root_dir /shared/77 --name mine"),
        (
            "seeds.sbatch",
            "--seed_everything 43 --name seed_43 --trainer.num_nodes 2 --trainer.devices 4 "
            "--trainer.default_root_dir /shared/70/43 --name mine",
        ),
    ],
)
def test_a_script_launches_what_it_says(tmp_path: Path, compret: Run, script: str, wanted: str) -> None:
    """With a made-up srun that writes down what it is given, and SLURM's variables."""
    path = CLUSTER / script
    subprocess.run(["bash", "-n", path], check=True)
    (tmp_path / "srun").write_text(f"#!/bin/sh\nprintf '%s\\n' \"$*\" > {tmp_path}/called\n")
    (tmp_path / "srun").chmod(0o755)
    slurm = {"JOB_ID": "77", "ARRAY_JOB_ID": "70", "ARRAY_TASK_ID": "43", "JOB_NUM_NODES": "2", "NTASKS_PER_NODE": "4"}
    environment = {f"SLURM_{k}": v for k, v in slurm.items()} | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    code, said = outcome(
        ["bash", str(path), "encoder_structneg.yaml", "--name", "mine"], env={"RUNS": "/shared", **environment}
    )
    assert code == 0, said
    called = (tmp_path / "called").read_text().strip()
    assert called == f"compret fit --config encoder_structneg.yaml --config cluster/slurm.yaml {wanted}"
    assert compret(*shlex.split(called)[1:], "--print_config")[0] == 0
    code, said = outcome(["bash", str(path)], env=environment)
    assert code != 0
    assert "the config of the fit" in said


def test_the_scripts_ask_slurm_for_a_signal_and_to_be_queued_anew() -> None:
    for script in CLUSTER.glob("*.sbatch"):
        asked = {
            line.removeprefix("#SBATCH ") for line in script.read_text().splitlines() if line.startswith("#SBATCH")
        }
        assert {"--signal=SIGUSR1@90", "--requeue", "--open-mode=append"} <= asked
        names = [option.partition("=")[2] for option in asked if option.startswith("--job-name")]
        assert names
        assert not {"bash", "interactive"} & set(names)  # Lightning takes those for a shell
