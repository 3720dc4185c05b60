"""Resume: a fit that goes on from a checkpoint says what of it is left out, or that nothing is left to do."""

from __future__ import annotations

import logging
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
        stored, step = self.checkpoint.get("optimizer_states", []), self.checkpoint.get("global_step", 0)
        groups = [state["param_groups"] for state in stored if "param_groups" in state]  # shards have none here
        if groups and [*map(_sizes, groups)] != [_sizes(optimizer.param_groups) for optimizer in trainer.optimizers]:
            self.checkpoint.update(optimizer_states=[], lr_schedulers=[])
            log.warning("the checkpoint trained other parameters than this run: its optimiser begins anew")
        if 0 <= trainer.max_steps <= step:
            more = f"--trainer.max_steps {step + trainer.max_steps}"
            log.warning("the checkpoint is of step %d: nothing is left to train; %s trains as long again", step, more)
        self.checkpoint = None


def _sizes(groups: list[dict[str, Any]]) -> list[int]:
    return [len(group["params"]) for group in groups]
