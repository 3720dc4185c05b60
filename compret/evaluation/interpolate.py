"""A model between two of one architecture: each weight of theirs interpolated, as an export like any other."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from compret.evaluation.guard_files import SETTINGS, guard_settings, load_verifier, recall_folder, save_verifier
from compret.evaluation.verifier_scorer import Recall
from compret.nn.encoder import TextEncoder
from compret.nn.verifiers import Verifier
from compret.types import UserError

_OF_A_FILE = ("_name_or_path", "transformers_version", "dtype", "torch_dtype", "architectures", "use_cache")
"""What a transformer's config says of its file, not of the model."""


@dataclass(frozen=True)
class Ends:
    """One of the two models."""

    name: str
    encoder: TextEncoder
    verifier: Verifier | None
    guard: Mapping[str, Any]
    """What is said of the verifier beside its weights and its calibration."""

    def settings(self) -> dict[str, Any]:
        """What must be the same in both."""
        encoder = self.encoder
        config = {k: v for k, v in encoder.backbone.config.to_dict().items() if k not in _OF_A_FILE}
        own = {"pooling": encoder.pooling, "max_length": encoder.max_length, "prompts": encoder.tokenizer.prompts}
        dense = [(layer.inputs, layer.outputs, layer.bias, layer.activation_name) for layer in encoder.dense_layers]
        return {
            **{f"config.json's {key}": value for key, value in config.items()},
            **own,
            "Dense modules": dense,
            "normalize": encoder.normalize,
            "vocabulary": encoder.tokenizer.fast.get_vocab(),
            **self.guard,
        }

    def weights(self) -> dict[str, Tensor]:
        below = {} if self.verifier is None else {f"verifier.{k}": v for k, v in self.verifier.state_dict().items()}
        return {**self.encoder.state_dict(), **below}


def read(path: str, max_length: int | None = None) -> Ends:
    """A model by its folder or hub id, or by the last.ckpt of a fit, whose weights its export holds.

    Raises:
        UserError: there is none, or it has a recall encoder of its own.
    """
    folder = _export_of(Path(path)) if Path(path).is_file() else Path(path)
    name = str(folder) if folder.is_dir() else path
    if not (folder / SETTINGS).exists():
        return Ends(path, TextEncoder(name, max_length=max_length), None, {})
    if recall_folder(folder):
        raise UserError(f"{path}: has a recall encoder of its own, which is not interpolated; merge without it")
    settings = guard_settings(folder)
    guard = {key: value for key, value in settings.content.items() if key != "calibration"}
    return Ends(path, TextEncoder(name, max_length=max_length), load_verifier(folder, settings), guard)


def _export_of(file: Path) -> Path:
    export = file.parent / "export"
    if file.name != "last.ckpt" or not export.is_dir():
        raise UserError(f"{file}: give an export, or a last.ckpt that has one beside it")
    return export


def differences(one: Ends, other: Ends) -> Iterator[str]:
    """What forbids to interpolate, in words."""
    a, b = one.settings(), other.settings()
    for key in sorted({*a, *b}):
        if a.get(key) != b.get(key):
            is_short = len(f"{a.get(key)}{b.get(key)}") < 60
            yield f"{key} {a.get(key)} and {b.get(key)}" if is_short else f"{key}"
    shapes = [{name: tuple(tensor.shape) for name, tensor in ends.weights().items()} for ends in (one, other)]
    yield from (name for name in sorted({*shapes[0], *shapes[1]}) if shapes[0].get(name) != shapes[1].get(name))


def interpolate(one: Ends, other: Ends, alpha: float) -> Ends:
    """(1 - alpha) of the first's weights and alpha of the other's, in the place of the nearer one's.

    Counts, such as BatchNorm's of batches, are the nearer one's; so is a pooler, which no vector passes through.

    Raises:
        UserError: they are not of one architecture.
    """
    if differs := [*differences(one, other)]:
        more = f" and {len(differs) - 3} more" if len(differs) > 3 else ""
        raise UserError(f"{one.name} and {other.name}: not of one architecture: {', '.join(differs[:3])}{more} differ")
    near, far = (one, other) if alpha < 0.5 else (other, one)
    others, share = far.weights(), min(alpha, 1 - alpha)
    with torch.no_grad():
        for name, tensor in near.weights().items():
            if tensor.is_floating_point():
                tensor.copy_(torch.lerp(tensor.float(), others[name].float(), share))
    return near


def write(model: Ends, folder: Path, card: str) -> None:
    """Write an export, which appears when it is whole, without a threshold: those were fitted on other weights.

    Raises:
        UserError: it cannot be written.
    """
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        model.encoder.save(unfinished)
        if model.verifier is not None:
            recall = Recall(weight=float(model.guard.get("recall_weight") or 0.0))
            save_verifier(unfinished, model.verifier, bool(model.guard["special_tokens"]), None, recall)
        (unfinished / "README.md").write_text(card, encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise UserError(f"{folder}: cannot be written ({error.strerror or error}); give another --out") from error
