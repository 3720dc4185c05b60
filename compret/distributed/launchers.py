"""What started this process among others: torchrun, srun, or Lightning with neither; and does the trainer agree."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch.distributed as dist

from compret.types import UserError


@dataclass(frozen=True)
class Launch:
    """What started this process among others: torchrun, srun, or Lightning with neither."""

    by: str
    rank: int
    processes: int
    nodes: int


def launch() -> Launch:
    """What the launcher's variables say; they are there before ranks are connected."""
    env = os.environ
    if dist.is_available() and dist.is_torchelastic_launched():
        processes = int(env["WORLD_SIZE"])
        return Launch("torchrun", int(env["RANK"]), processes, processes // int(env["LOCAL_WORLD_SIZE"]))
    if _in_slurm_job() and "SLURM_STEP_ID" in env:
        return Launch("srun", int(env["SLURM_PROCID"]), int(env["SLURM_NTASKS"]), int(env.get("SLURM_NNODES", 1)))
    # Lightning starts the others of a node itself and counts them there
    return Launch("", int(env.get("NODE_RANK", 0)) or int(env.get("LOCAL_RANK", 0)), 1, 1)


def check_launch(devices: int, nodes: int) -> None:
    """Refuse a trainer that counts other processes than were started: each would train alone, or wait for ever.

    Args:
        devices: that the trainer uses on a node.
        nodes: that the trainer counts.

    Raises:
        UserError: the message says what to add.
    """
    started = launch()
    if started.by and (started.processes, started.nodes) != (devices * nodes, nodes):
        on_nodes = f"{started.processes} processes on {started.nodes} {'node' if started.nodes == 1 else 'nodes'}"
        raise UserError(
            f"{started.by} started {on_nodes}, the trainer counts {devices * nodes} on {nodes}: add "
            f"--trainer.devices {started.processes // started.nodes} --trainer.num_nodes {started.nodes} "
            "--trainer.strategy ddp"
        )
    if not started.by and _in_slurm_job() and devices * nodes > 1:
        raise UserError(
            f"a SLURM job of {devices} devices on {nodes} nodes, started without srun: write srun before compret, and "
            f"#SBATCH --nodes={nodes} --ntasks-per-node={devices}"
        )


def check_cores(processes: int) -> None:
    """Refuse more processes on this machine's CPU than it has cores: they take turns, and each has a model in memory.

    Raises:
        UserError: COMPRET_MORE_RANKS is not set to 1.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if processes > cores and os.environ.get("COMPRET_MORE_RANKS") != "1":
        raise UserError(
            f"--trainer.devices {processes}: this machine has {cores} CPU cores, and more processes only take turns; "
            f"give at most {cores}, or set the variable COMPRET_MORE_RANKS=1"
        )


@dataclass(frozen=True)
class Job:
    """A SLURM job, or one task of a job array."""

    id: str
    queued_as: str
    """What `scontrol` calls it."""
    is_restarted: bool
    """It was requeued, and ran before under the same id."""


def slurm_job() -> Job | None:
    """The SLURM job that this process is a step of."""
    env = os.environ
    if launch().by != "srun" or "SLURM_JOB_ID" not in env:
        return None
    array = f"{env.get('SLURM_ARRAY_JOB_ID')}_{env.get('SLURM_ARRAY_TASK_ID')}"
    queued_as = array if "SLURM_ARRAY_JOB_ID" in env else env["SLURM_JOB_ID"]
    return Job(env["SLURM_JOB_ID"], queued_as, int(env.get("SLURM_RESTART_COUNT") or 0) > 0)


def _in_slurm_job() -> bool:
    """As Lightning sees it: jobs of these names are interactive, and no launcher."""
    return "SLURM_NTASKS" in os.environ and os.environ.get("SLURM_JOB_NAME") not in ("bash", "interactive")
