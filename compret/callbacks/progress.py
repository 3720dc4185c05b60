"""How far a run is: a bar where a terminal is, lines of their own where a log file is."""

from __future__ import annotations

import logging
import math
import sys
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar, TQDMProgressBar

log = logging.getLogger(__name__)
_LINES = 20
"""That a fit of known length writes."""
_SECONDS = 60.0
"""Between two lines of one whose length is not known."""


def progress() -> ProgressBar:
    """What suits stdout."""
    return Bar(refresh_rate=10) if sys.stdout.isatty() else Lines()


class Bar(TQDMProgressBar):
    """Lightning's bar without the number of the version, which it cuts."""

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        items = super().get_metrics(trainer, pl_module)
        items.pop("v_num", None)
        return items


class Lines(ProgressBar):
    """At most about twenty lines a fit, `step 50 of 100: train_loss 2.31, 12 s`, and one for each dataset of a test."""

    def __init__(self) -> None:
        super().__init__()
        self.is_on = True
        self.begun = self.told = 0.0

    def enable(self) -> None:
        self.is_on = True

    def disable(self) -> None:
        self.is_on = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.begun = self.told = time.monotonic()
        self.last = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step, steps = trainer.global_step, trainer.estimated_stepping_batches
        if not self.is_on or step == self.last or not self._is_due(step, steps):
            return
        self.last, self.told = step, time.monotonic()
        values = {k: v for k, v in self.get_metrics(trainer, pl_module).items() if k != "v_num"}
        said = "".join(f"{name} {_short(value)}, " for name, value in values.items())
        of = f" of {steps}" if math.isfinite(steps) else ""
        log.info("step %d%s: %s%.0f s", step, of, said, self.told - self.begun)

    def _is_due(self, step: int, steps: float) -> bool:
        if not math.isfinite(steps):
            return time.monotonic() - self.told > _SECONDS
        return step % max(1, math.ceil(steps / _LINES)) == 0 or step == steps

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.begun = time.monotonic()

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if self.is_on and trainer.is_global_zero:
            log.info("%s: done after %.0f s", batch.content.name, time.monotonic() - self.begun)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
