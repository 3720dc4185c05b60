"""A run's folders, logs/NAME/VERSION and checkpoints/NAME/VERSION, and the checkpoint that a user means."""

from __future__ import annotations

import os
from pathlib import Path

from compret.files import local_path
from compret.types import UserError

ROOMS = ("logs", "checkpoints")
VERSION = "COMPRET_VERSION"
"""Variable that gives a run's version, also where its folders are there already, as those of a fit that goes on."""
_LONGEST = 200
_FILES = (".ckpt", ".safetensors", ".bin", ".pt")


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


def check_model(option: str, name: str) -> Path | None:
    """The folder that a user's model is; None for what may be a hub id, which only the hub can tell.

    Raises:
        UserError: it is a file, or a folder that is not there or holds no model.
    """
    path = local_path(name)
    if "\0" not in name and path.is_dir():
        if not any((path / file).is_file() for file in ("config.json", "modules.json")):
            raise UserError(f"{option} {name}: no model there; give a folder such as checkpoints/NAME/VERSION/export")
        return path
    if "\0" not in name and path.is_file():
        beside = path.parent / "export"
        meant = beside if beside.is_dir() else "checkpoints/NAME/VERSION/export"
        raise UserError(f"{option} {name}: a file; give a model's folder, such as {meant}")
    is_hub_id = name.strip() and not path.is_absolute() and name[0] not in ".~" and name.count("/") <= 1
    if not is_hub_id or path.suffix in _FILES:
        raise UserError(f"{option} {name}: no such folder; give a model's folder or a hub id (owner/name)")
    return None


def next_version(root: Path, name: str) -> str:
    """The first of version_0, version_1, … that neither logs nor checkpoints hold yet; COMPRET_VERSION where it is set.

    Ranks may count differently, since rank 0 makes its folders meanwhile: they write to what rank 0 tells them.
    """
    if told := os.environ.get(VERSION):
        return told
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
        UserError: it is empty, or a word of Lightning's for which compret has no file.
    """
    if given == "":
        raise UserError("--ckpt_path: an empty name; give a file, or leave it out")
    if given in ("last", "best"):
        return newest_checkpoint(root, name, given)
    if given == "hpc" or (given and given.startswith("registry") and not Path(given).exists()):
        meant = "a SLURM job that is queued anew finds its last.ckpt by itself" if given == "hpc" else "there is none"
        raise UserError(f"--ckpt_path {given}: {meant}; give a file, or last or best with --name")
    return Path(given) if given else None
