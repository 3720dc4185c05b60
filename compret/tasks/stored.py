"""What a checkpoint says of its model, and whether it is whole: a file, or the folder of a sharded one."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.strategies import FSDPStrategy, ModelParallelStrategy

from compret.distributed import incomplete_files
from compret.tasks.suites import CHECKPOINT_KEY
from compret.types import UserError

READ_SHARDS = (FSDPStrategy, ModelParallelStrategy)
"""Strategies that load a sharded checkpoint."""
_ELSEWHERE = "give another checkpoint"
_UNREADABLE = (KeyError, TypeError, RuntimeError, OSError, ValueError, EOFError, pickle.UnpicklingError)


def stored_model(path: Path) -> dict[str, Any]:
    """Class and recipe of a checkpoint's model.

    Raises:
        UserError: there is no checkpoint of compret, or it is not whole; the message names the file.
    """
    file = _extra_file(path) if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"--ckpt_path {file}: no such file")
    if file.stat().st_size == 0:
        raise UserError(f"--ckpt_path {file}: the file is empty; {_ELSEWHERE}")
    try:
        checkpoint = torch.load(file, weights_only=True, map_location="cpu", mmap=True)
        stored = dict(checkpoint[CHECKPOINT_KEY])
        return {"class": stored["class"], "recipe": dict(stored["recipe"])}
    except _UNREADABLE as error:
        if _begins_as_one(file) and isinstance(error, RuntimeError | OSError):
            raise UserError(f"--ckpt_path {file}: the file is cut off or damaged; {_ELSEWHERE}") from error
        raise UserError(f"--ckpt_path {file}: not a checkpoint of compret ({type(error).__name__})") from error


def _extra_file(folder: Path) -> Path:
    """The file of a sharded checkpoint that holds all but tensors of model and optimiser; its shards are there."""
    if (folder / "config.json").is_file():
        raise UserError(f"--ckpt_path {folder}: a model and no checkpoint; give it as --model.backbone")
    if not (folder / ".metadata").is_file():
        inside = sorted(folder.glob("*.ckpt"))
        which = f"give one of its files, such as {inside[-1]}" if inside else "give a .ckpt file"
        raise UserError(f"--ckpt_path {folder}: a folder without .metadata, so no sharded checkpoint; {which}")
    try:
        incomplete = incomplete_files(folder)
    except _UNREADABLE as error:
        raise UserError(f"--ckpt_path {folder / '.metadata'}: cannot be read; {_ELSEWHERE}") from error
    if incomplete:
        state = "cut off" if incomplete[0].exists() else "missing"
        more = f" (and {len(incomplete) - 1} more)" if len(incomplete) > 1 else ""
        raise UserError(f"--ckpt_path {incomplete[0]}: this shard is {state}{more}; {_ELSEWHERE}")
    return folder / "meta.pt"


def _begins_as_one(file: Path) -> bool:
    """Whether a file begins as torch's archives do."""
    with file.open("rb") as opened:
        return opened.read(4) == b"PK\x03\x04"
