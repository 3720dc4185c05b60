"""last.ckpt, from before the first step on, so that a killed run loses little; and how checkpoints are written."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from compret.atomic import atomic_path
from compret.tasks.checkpoint import read_checkpoint
from compret.types import UserError


class LastCheckpoint(ModelCheckpoint):
    """Keeps one checkpoint, `last.ckpt`: before the first step, which shows that there is room, and every so many.

    Args:
        folder: where it goes.
        every: optimiser steps between two savings.
    """

    def __init__(self, folder: str | Path, every: int) -> None:
        super().__init__(folder, filename="last", every_n_train_steps=every, enable_version_counter=False)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        self._save_last(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """A run may end in the midst of a validation, when there is nothing to save: Lightning would go on there."""
        super().on_validation_start(trainer, pl_module)
        if (
            trainer.state.fn == "fit"
            and not trainer.sanity_checking
            and self._last_global_step_saved < trainer.global_step
        ):
            self._save_last(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_end(trainer, pl_module)
        self._save_last(trainer)

    def _save_last(self, trainer: Trainer) -> None:
        if not trainer.fast_dev_run:  # type: ignore[attr-defined]
            trainer.save_checkpoint(Path(str(self.dirpath)) / "last.ckpt")


class BestCheckpoint(ModelCheckpoint):
    """Keeps `best.ckpt`, of the validation with the highest `val_score`; nothing where no suite gives one.

    Args:
        folder: where it goes.
    """

    def __init__(self, folder: str | Path) -> None:
        super().__init__(folder, filename="best", monitor="val_score", mode="max", enable_version_counter=False)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if "val_score" in trainer.callback_metrics:
            super().on_validation_end(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if "val_score" in trainer.callback_metrics:
            super().on_train_epoch_end(trainer, pl_module)


class WholeFiles(TorchCheckpointIO):
    """Saves each checkpoint under another name beside its own and moves it when it is whole; loads data alone.

    Lightning writes to the folder of temporary files instead and copies from there, over the checkpoint before, if that
    is another disk. URLs are left to Lightning.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Save a checkpoint.

        Raises:
            UserError: it cannot be written; what stood there before still does.
        """
        if "://" in str(path) or storage_options is not None:
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        try:
            with atomic_path(Path(path)) as temporary, temporary.open("wb") as file:
                _save(checkpoint, file)
        except UserError as error:
            raise UserError(f"{error}; make space and {_then(Path(path).parent)}") from error

    def load_checkpoint(
        self, path: str | Path, map_location: Any = lambda storage, loc: storage, weights_only: bool | None = True
    ) -> dict[str, Any]:
        if "://" in str(path):
            return super().load_checkpoint(path, map_location, weights_only=True)
        return read_checkpoint(Path(path), map_location)


def _then(folder: Path) -> str:
    """How to go on from the newest checkpoint of a folder."""
    saved = sorted(folder.glob("*.ckpt"), key=lambda path: path.stat().st_mtime)
    return f"go on with --ckpt_path {saved[-1]}" if saved else "start again"


def _save(checkpoint: dict[str, Any], file: IO[bytes]) -> None:
    try:
        torch.save(checkpoint, file)
    except RuntimeError as error:  # torch says that a count of bytes is wrong; why it is, stands behind
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise
