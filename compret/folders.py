"""A run's folders, logs/NAME/VERSION and checkpoints/NAME/VERSION: which they are, made once, gone if nothing began."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer

from compret.distributed import launch
from compret.signals import ending
from compret.types import UserError

ROOMS = ("logs", "checkpoints")
_LONGEST = 200


def check_name(name: str) -> None:
    """Refuse a `--name` that is no folder below logs and checkpoints.

    Raises:
        UserError: it leaves them, or the system does not take it.
    """
    parts = name.split("/")
    if any(part.strip() in ("", ".", "..") or "\0" in part for part in parts):
        raise UserError(f"--name {name!r}: a folder below logs and checkpoints, such as mine or mine/first")
    if longest := next((part for part in parts if len(part.encode()) > _LONGEST), None):
        raise UserError(f"--name {longest[:20]}...: {len(longest.encode())} bytes long; at most {_LONGEST}")


def next_version(root: Path, name: str) -> str:
    """The first of version_0, version_1, … that neither logs nor checkpoints hold yet.

    Ranks may count differently, since rank 0 makes its folders meanwhile: they write to what rank 0 tells them.
    """
    number = 0
    while any((root / room / name / f"version_{number}").exists() for room in ROOMS):
        number += 1
    return f"version_{number}"


def newest_checkpoint(root: Path, name: str, which: str) -> Path:
    """The last.ckpt or best.ckpt of a name's newest run.

    Args:
        which: last or best.

    Raises:
        UserError: no run of that name has one.
    """
    runs = root / "checkpoints" / name
    found = list(runs.glob(f"*/{which}.ckpt"))
    if not found:
        more = "; best.ckpt needs data.validation" if which == "best" else ""
        raise UserError(
            f"--ckpt_path {which}: there is no {runs}/VERSION/{which}.ckpt; give --name of a fit, or a file{more}"
        )
    return max(found, key=lambda path: (path.stat().st_mtime_ns, path.parent.name))


def meant_checkpoint(given: str | None, root: Path, name: str) -> Path | None:
    """The checkpoint that `--ckpt_path` means.

    Raises:
        UserError: it is a word of Lightning's for which compret has no file.
    """
    if given in ("last", "best"):
        return newest_checkpoint(root, name, given)
    if given == "hpc" or (given and given.startswith("registry") and not Path(given).exists()):
        meant = "a SLURM job that is queued anew finds its last.ckpt by itself" if given == "hpc" else "there is none"
        raise UserError(f"--ckpt_path {given}: {meant}; give a file, or last or best with --name")
    return Path(given) if given else None


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
