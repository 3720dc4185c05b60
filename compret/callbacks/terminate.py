"""Runs that are told to end, by SIGTERM, end."""

from __future__ import annotations

import signal
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer


class Terminate(Callback):
    """Ends a run on SIGTERM, wherever it is, with exit code 143, and with it the ranks that it launched.

    Lightning's own way waits for the end of a batch, which in a test is a whole dataset; of several ranks it asks in
    the midst of whatever each does, so that they may wait for each other for ever; and it ends with the exit code of a
    run that went well.
    """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        _listen(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        _listen(trainer)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        _listen(trainer)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        _listen(trainer)


def _listen(trainer: Trainer) -> None:
    """In place of Lightning's handler, which at the end of a run puts back what was before both."""

    def end(number: int, frame: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # said once is enough: what follows tidies up
        if trainer.strategy.launcher is not None:
            trainer.strategy.launcher.kill(signal.SIGTERM)
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)
