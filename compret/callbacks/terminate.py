"""Runs that are told to end, by SIGTERM or Ctrl-C, end; a fit with a last.ckpt of the step in which it came."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from compret.distributed import Agreement
from compret.signals import ending

log = logging.getLogger(__name__)


class Terminate(Callback):
    """Ends a run on SIGTERM with exit code 143 and on Ctrl-C with 130: training after its step, all else at once.

    Lightning's own way waits for the end of a batch, which in a test is a whole dataset; of several ranks it asks in
    the midst of whatever each does, so that they may wait for each other for ever; and it ends with the exit code of a
    run that went well. Here all ranks agree on the step, whichever of them was told; it takes one byte from each a
    step. Told once more, a run ends without waiting for its step.

    Args:
        checkpoint: the last.ckpt that a fit writes before it ends; none if not given. In the midst of a validation
            none is: the one from its start is as new. A run that goes on from it leaves that validation out.
    """

    def __init__(self, checkpoint: str | Path | None = None) -> None:
        self.checkpoint = checkpoint

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.checkpoint = trainer.strategy.broadcast(self.checkpoint)
        self.agreement = Agreement()
        ending.listen()
        ending.how = "note"

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.agreement.any(ending.told is not None):
            self._save(trainer)
            ending.leave()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            ending.how = "unwind"
        else:
            ending.listen()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit":
            ending.how = "note"

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        ending.how = "unwind"
        del self.agreement  # its connections, whose threads must not outlive the run

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        ending.listen()

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        ending.listen()

    def _save(self, trainer: Trainer) -> None:
        if self.checkpoint is not None and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            trainer.save_checkpoint(self.checkpoint)
            log.info("step %d is saved: go on with --ckpt_path %s", trainer.global_step, self.checkpoint)
