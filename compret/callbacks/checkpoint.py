"""last.ckpt: every so many steps, so that a killed run loses little, and when training ends."""

from __future__ import annotations

from pathlib import Path

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint


class LastCheckpoint(ModelCheckpoint):
    """Keeps one checkpoint, `last.ckpt`, in a folder.

    Args:
        folder: where it goes.
        every: optimiser steps between two savings.
    """

    def __init__(self, folder: str | Path, every: int) -> None:
        super().__init__(folder, filename="last", every_n_train_steps=every, enable_version_counter=False)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_end(trainer, pl_module)
        if not trainer.fast_dev_run:  # type: ignore[attr-defined]
            trainer.save_checkpoint(Path(str(self.dirpath)) / "last.ckpt")
