"""What a checkpoint or an export says of its model, and whether it is whole: a file, a sharded one's folder, an export.

All of it is data from elsewhere: no class is imported because a file names it.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.strategies import FSDPStrategy, ModelParallelStrategy
from torch import Tensor

from compret.distributed import incomplete_files
from compret.evaluation.guard_files import SETTINGS, guard_settings, load_verifier, recall_folder, stored_calibration
from compret.files import Settings, check_fields, checked_file, first_line, reading
from compret.nn.backbone import load_backbone
from compret.nn.encoder_options import EncoderOptions
from compret.nn.verifiers.description import check_description, loaded
from compret.nn.weights import check_archive
from compret.tasks.base import CHECKPOINT_KEY, SuiteRunner
from compret.types import UserError

READ_SHARDS = (FSDPStrategy, ModelParallelStrategy)
"""Strategies that load a sharded checkpoint."""
_ELSEWHERE = "give another checkpoint"
_STAGES = ("fit", "validate", "test", "predict")
_TO_RESUME = {"loops": Mapping, "optimizer_states": list, "lr_schedulers": list, "epoch": int, "global_step": int}


def stored_model(path: Path, resume: bool = False) -> dict[str, Any]:
    """Class and recipe of a checkpoint's or an export's model.

    Args:
        resume: it must hold what training goes on from, too.

    Raises:
        UserError: it is neither, not whole, or names a class that is not loaded; the message names the file.
    """
    if is_export(path):
        if resume:
            raise UserError(
                f"--ckpt_path {path}: an export, and training cannot go on from it; give last.ckpt, or start anew from "
                f"its encoder with --model.backbone {path}"
            )
        return _of_export(path)
    file = _extra_file(path) if path.is_dir() else path
    checkpoint = _loaded(file)
    stored = checkpoint.part(CHECKPOINT_KEY)
    model = {"class": stored.text("class"), "recipe": stored.part("recipe")}
    if model["class"] not in tasks():
        raise UserError(f"--ckpt_path {file}: of {model['class'][:80]!r}, no model of compret; give --model its class")
    _check_recipe(model["recipe"])
    _check_whole(checkpoint, is_sharded=path.is_dir(), resume=resume)
    if path.is_dir():
        _check_shards(path)
    return {**model, "recipe": dict(model["recipe"].content)}


def is_export(path: Path) -> bool:
    """Whether a path is a model's folder, such as the export of a fit."""
    return path.is_dir() and ((path / "config.json").is_file() or (path / "modules.json").is_file())


def read_checkpoint(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """All of a checkpoint file, or of an export, by the unpickler that knows tensors and plain values alone."""
    if is_export(path):
        return export_checkpoint(path)
    with reading(f"--ckpt_path {path}: the file is cut off or damaged; {_ELSEWHERE}"):
        return dict(torch.load(path, weights_only=True, map_location=map_location))


def export_checkpoint(folder: Path) -> dict[str, Any]:
    """An export as a checkpoint: its verifier's weights and its calibration; the encoder's are the backbone's."""
    stored: dict[str, Any] = {**_of_export(folder), "revision": load_backbone(str(folder)).revision}
    weights: dict[str, Tensor] = {}
    if (folder / SETTINGS).exists():
        settings = guard_settings(folder)
        calibration = stored_calibration(settings)
        stored["calibration"] = asdict(calibration) if calibration else None
        verifier = load_verifier(folder, settings, loaded())
        weights = {f"verifier.{name}": tensor for name, tensor in verifier.state_dict().items()}
    version = {"pytorch-lightning_version": lightning.__version__}
    return {"state_dict": weights, CHECKPOINT_KEY: stored, "epoch": 0, "global_step": 0, **version}


def _of_export(folder: Path) -> dict[str, Any]:
    """Class and recipe of an export: its encoder is a backbone like any other."""
    if not (folder / SETTINGS).exists():
        return {"class": "compret.tasks.dual_encoder.DualEncoder", "recipe": {"backbone": str(folder)}}
    settings = guard_settings(folder)
    check_description(settings.part("verifier"), loaded())
    recall = recall_folder(folder)
    recipe = {
        "verifier": dict(settings.part("verifier").content),
        "backbone": str(folder),
        "special_tokens": settings.flag("special_tokens"),
        "recall": str(recall) if recall else None,
        "recall_weight": settings.number("recall_weight", 0.0),
    }
    return {"class": "compret.tasks.verifier.SimilarityMapVerifier", "recipe": recipe}


def _loaded(file: Path) -> Settings:
    """A checkpoint's content, by the unpickler that knows tensors and plain values alone."""
    checked_file(file) if file.exists() else None
    if not file.is_file():
        raise UserError(f"--ckpt_path {file}: no such file")
    if file.stat().st_size == 0:
        raise UserError(f"--ckpt_path {file}: the file is empty; {_ELSEWHERE}")
    if not _begins_as_one(file):
        raise UserError(f"--ckpt_path {file}: not a checkpoint of compret; {_ELSEWHERE}")
    try:
        check_archive(file)
        with reading(f"{file}: not a checkpoint of compret"):
            content = torch.load(file, weights_only=True, map_location="cpu", mmap=True)
    except UserError as error:
        is_cut = isinstance(error.__cause__, RuntimeError | OSError | zipfile.BadZipFile)
        told = f"{file}: the file is cut off or damaged" if is_cut else str(error)
        raise UserError(f"--ckpt_path {told}; {_ELSEWHERE}") from error
    return Settings(f"--ckpt_path {file}: not a checkpoint of compret", content)


def _check_whole(checkpoint: Settings, is_sharded: bool, resume: bool) -> None:
    """Weights by name, and where training goes on, its state; Lightning would look for them with a traceback."""
    if not re.fullmatch(r"\d+\.\d+[\w.+]*", checkpoint.text("pytorch-lightning_version")):
        raise UserError(f"{checkpoint.origin}: 'pytorch-lightning_version' is no version")
    in_shards = {"optimizer_states"} if is_sharded else set()
    if not is_sharded:
        weights = checkpoint.part("state_dict")
        if not all(isinstance(tensor, Tensor) for tensor in weights.content.values()):
            raise UserError(f"{weights.origin} must hold tensors alone")
    loops = checkpoint.part("loops", None)
    for stage in _STAGES if loops else ():
        loops.part(f"{stage}_loop")
    if resume:
        missing = [k for k, kind in _TO_RESUME.items() if not isinstance(checkpoint.content.get(k), kind)]
        missing = [key for key in missing if key not in in_shards]
        if missing:
            path = checkpoint.origin.partition(": ")[0]
            raise UserError(
                f"{path}: holds no {missing[0].replace('_', ' ')}, so training cannot go on from it; give a whole "
                "checkpoint such as last.ckpt (not one of save_weights_only)"
            )


def _check_recipe(recipe: Settings) -> None:
    """Each option is of its kind, and names no class but a verifier's that is loaded already."""
    recipe.text("backbone")
    check_fields(recipe, EncoderOptions)
    recipe.text("recall", None)
    for key in ("frozen", "special_tokens"):
        recipe.flag(key, False)
    recipe.number("recall_weight", 0.0)
    if verifier := recipe.part("verifier", None):
        check_description(verifier, loaded())
    if _names_a_class({key: value for key, value in recipe.content.items() if key != "verifier"}):
        raise UserError(f"{recipe.origin}: names a class beside its verifier's, and none is imported")


def _names_a_class(content: Any) -> bool:
    if isinstance(content, Mapping):
        return "class_path" in content or any(map(_names_a_class, content.values()))
    return isinstance(content, list | tuple) and any(map(_names_a_class, content))


def tasks(kind: type[SuiteRunner] = SuiteRunner) -> dict[str, type[SuiteRunner]]:
    """All models that are loaded, by the names that a checkpoint has for them."""
    found = dict.fromkeys((f"{kind.__module__}.{kind.__qualname__}", f"compret.tasks.{kind.__qualname__}"), kind)
    for below in kind.__subclasses__():
        found |= tasks(below)
    return found


def _extra_file(folder: Path) -> Path:
    """The file of a sharded checkpoint that holds all but tensors of model and optimiser."""
    if not (folder / ".metadata").is_file():
        inside = sorted(folder.glob("*.ckpt"))
        which = f"give one of its files, such as {inside[-1]}" if inside else "give a .ckpt file"
        raise UserError(f"--ckpt_path {folder}: a folder without .metadata, so no sharded checkpoint; {which}")
    return folder / "meta.pt"


def _check_shards(folder: Path) -> None:
    """A sharded checkpoint's files are whole, and hold data alone."""
    try:
        incomplete = incomplete_files(folder)
    except Exception as error:  # an unpickler may raise any
        raise UserError(
            f"--ckpt_path {folder / '.metadata'}: cannot be read ({first_line(error)}); {_ELSEWHERE}"
        ) from error
    if incomplete:
        state = "cut off" if incomplete[0].exists() else "missing"
        more = f" (and {len(incomplete) - 1} more)" if len(incomplete) > 1 else ""
        raise UserError(f"--ckpt_path {incomplete[0]}: this shard is {state}{more}; {_ELSEWHERE}")


def _begins_as_one(file: Path) -> bool:
    """Whether a file begins as torch's archives do."""
    with file.open("rb") as opened:
        return opened.read(4) == b"PK\x03\x04"
