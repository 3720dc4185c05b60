"""SLURM jobs that end early and go on: told by SIGUSR1 they save and queue again; restarted they find their run."""

from __future__ import annotations

import logging
import signal
import subprocess
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from compret.distributed import Agreement, launch, slurm_job
from compret.types import UserError

log = logging.getLogger(__name__)
_MARK = "slurm_job"


class Requeue(Callback):
    """On SIGUSR1 (`#SBATCH --signal=SIGUSR1@90`) saves last.ckpt after the step, and asks SLURM to requeue the job.

    Lightning's own requeueing saves inside the signal, wherever each rank then is: of two ranks that are at different
    places in a step, each takes the other's gradients for its answer, and the run dies without a checkpoint. Here all
    ranks agree on the step. It takes one byte from each a step, and only in jobs of SLURM.
    """

    def __init__(self, checkpoint: str | Path) -> None:
        self.checkpoint, self.is_told = Path(checkpoint), False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.checkpoint = trainer.strategy.broadcast(self.checkpoint)
        self.agreement = Agreement()
        signal.signal(signal.SIGUSR1, self._told)  # in place of Lightning's, which puts back what was before both

    def _told(self, number: int, frame: Any) -> None:
        self.is_told = True

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not self.agreement.any(self.is_told):
            return
        self.is_told = False
        trainer.save_checkpoint(self.checkpoint)
        job = slurm_job()
        if launch().rank == 0 and job is not None:
            _requeue(job.queued_as)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        del self.agreement  # its connections, whose threads must not outlive the run


def _requeue(job: str) -> None:
    try:
        subprocess.run(["scontrol", "requeue", job], check=True)
        log.info("saved, and SLURM job %s goes back to the queue", job)
    except (OSError, subprocess.CalledProcessError) as error:
        log.warning("saved, but SLURM job %s could not be requeued (%s)", job, error)


def mark(folder: Path) -> None:
    """Note in a run's folder which SLURM job has begun it."""
    job = slurm_job()
    if job is None or launch().rank > 0:
        return
    try:
        (folder / _MARK).write_text(job.id, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{folder / _MARK}: cannot be written ({error.strerror}); make space") from error


def begun_before(runs: Path) -> Path | None:
    """The folder of the run that this SLURM job had begun before it was restarted, if it was.

    Args:
        runs: holds the runs' folders, `checkpoints/NAME`.
    """
    job = slurm_job()
    if job is None or not job.is_restarted:
        return None
    marks = [path for path in runs.glob(f"*/{_MARK}") if path.read_text(encoding="utf-8") == job.id]
    return max(marks, key=lambda path: path.stat().st_mtime).parent if marks else None
