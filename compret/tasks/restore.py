"""A checkpoint as a model that scores, without a trainer: what Python and `compret explain` take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from compret.evaluation.scoring_model import ScoringModel, best_device, load_model
from compret.files import Settings
from compret.nn.encoder import LoRA
from compret.nn.verifiers.description import build, loaded
from compret.tasks.checkpoint import is_export, read_checkpoint, stored_model, tasks
from compret.types import UserError


def restored(path: Path, device: str | None = None) -> ScoringModel:
    """The scorer of a checkpoint's or an export's weights, and its calibration.

    Args:
        device: the first GPU where there is one, else the CPU, if None.

    Raises:
        UserError: it cannot be read, or it is a sharded checkpoint, which only its strategy reads.
    """
    if is_export(path):
        return load_model(path, device)
    if path.is_dir():
        raise UserError(f"--ckpt_path {path}: sharded; give the export of a fit, or a checkpoint file")
    stored = stored_model(path)
    module: Any = tasks()[stored["class"]](**_options(path, stored["recipe"]))
    checkpoint = read_checkpoint(path)
    module.on_load_checkpoint(checkpoint)
    module.load_state_dict(checkpoint["state_dict"])
    module.to(device or best_device()).eval()
    return ScoringModel(module.scorer(), getattr(module, "calibration", None))


def _options(path: Path, recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe's plain values as what the model's class takes."""
    lora, verifier = recipe.get("lora"), recipe.get("verifier")
    made: dict[str, Any] = {"lora": LoRA(**lora)} if lora else {}
    if verifier:
        made["verifier"] = build(Settings(f"--ckpt_path {path}: 'verifier'", verifier), loaded())
    return {**recipe, **made}
