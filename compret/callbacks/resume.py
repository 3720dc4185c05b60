"""Resume: a fit that goes on from a checkpoint says from where to where, what is left out, and if nothing is left."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

log = logging.getLogger(__name__)


class Resume(Callback):
    """Takes the optimiser's state out of a checkpoint where other parameters are trained now, and says so.

    Such as an encoder that was frozen. torch would refuse it; weights, steps and place in the data are the
    checkpoint's all the same.
    """

    checkpoint: dict[str, Any] | None = None

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self.checkpoint = checkpoint

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Lightning has made the optimisers, and restores their states next."""
        if self.checkpoint is None:
            return
        stored = self.checkpoint.get("optimizer_states", [])
        groups = [state["param_groups"] for state in stored if "param_groups" in state]  # shards have none here
        if groups and [*map(_sizes, groups)] != [_sizes(optimizer.param_groups) for optimizer in trainer.optimizers]:
            self.checkpoint.update(optimizer_states=[], lr_schedulers=[])
            log.warning("the checkpoint trained other parameters than this run: its optimiser begins anew")
        _tell(trainer, self.checkpoint.get("global_step", 0), _epochs(self.checkpoint))
        self.checkpoint = None


def _tell(trainer: Trainer, step: int, epochs: int) -> None:
    most = trainer.max_epochs
    if 0 <= trainer.max_steps <= step:
        more = f"--trainer.max_steps {step + trainer.max_steps}"
    elif most is not None and 0 <= most <= epochs:
        more = f"--trainer.max_epochs {epochs + most}"
    else:
        end = f"step {trainer.max_steps}" if trainer.max_steps > 0 else f"the end of epoch {most}"
        log.info("goes on from %s: from step %d to %s", trainer.ckpt_path, step, end)
        return
    log.warning("the checkpoint is of step %d: nothing is left to train; %s trains as long again", step, more)


def _epochs(checkpoint: Mapping[str, Any]) -> int:
    """Whole epochs that a checkpoint has behind it."""
    progress = checkpoint.get("loops", {}).get("fit_loop", {}).get("epoch_progress", {})
    return int(progress.get("current", {}).get("completed", 0))


def _sizes(groups: list[dict[str, Any]]) -> list[int]:
    return [len(group["params"]) for group in groups]
