"""RunFolders: a run's folders are made once, and gone if nothing began in them."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from compret.distributed import launch
from compret.signals import ending
from compret.types import UserError


class RunFolders(Callback):
    """Makes the folders of a run, and takes those away in which nothing came of it, so that none uses up a version.

    A fit has begun with its training, anything else when its numbers are there.
    """

    def __init__(self) -> None:
        self.made: list[Path] = []
        """By this run, those above before those below."""
        self.versions: list[Path] = []
        self.has_begun = False

    def make(self, folder: Path) -> None:
        """Make a folder of the run's. Rank 0 alone does: the others take it from Lightning, which broadcasts it.

        Raises:
            UserError: it cannot be made.
        """
        if launch().rank > 0:
            return
        missing = [path for path in (*reversed(folder.parents), folder) if not path.exists()]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            told = f"{folder}: cannot be written ({error.strerror}); set --trainer.default_root_dir"
            raise UserError(told) from error
        self.made += missing
        self.versions += missing[-1:]

    def __enter__(self) -> RunFolders:
        ending.tidy = self.discard
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Remove what this run has made and left empty; where it failed before it began, with what the start wrote."""
        if kind is not None:
            self.discard()
        _remove_empty(self.made)

    def discard(self) -> None:
        """Remove what this run has made if it has not begun."""
        if not self.has_begun:
            for folder in self.versions:
                shutil.rmtree(folder, ignore_errors=True)
            _remove_empty(self.made)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.has_begun = True

    on_validation_end = on_test_end = on_predict_end = on_train_start


def _remove_empty(folders: list[Path]) -> None:
    for folder in reversed(folders):
        with suppress(OSError):  # somebody's, by now
            folder.rmdir()
