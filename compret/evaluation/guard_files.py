"""A guard as files beside its encoder: the verifier, what recalls for it, and the calibration of both."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from safetensors.torch import save_file

from compret.evaluation.verifier_scorer import Recall
from compret.files import Settings, inside, read_json
from compret.metrics.calibration import Calibration
from compret.nn.verifiers import Verifier
from compret.nn.verifiers.description import check_description, describe, load
from compret.types import UserError

SETTINGS, WEIGHTS, RECALL = "verifier.json", "verifier.safetensors", "recall"


def save_verifier(
    folder: Path, verifier: Verifier, special_tokens: bool, calibration: Calibration | None, recall: Recall
) -> None:
    """Write what `load_verifier` reads, beside the encoder's files."""
    settings = {
        "verifier": describe(verifier),
        "special_tokens": special_tokens,
        "calibration": asdict(calibration) if calibration else None,
        "recall_weight": recall.weight,
    }
    if recall.encoder is not None:
        recall.encoder.save(folder / RECALL)
    save_file({k: v.contiguous().cpu() for k, v in verifier.state_dict().items()}, folder / WEIGHTS)
    (folder / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def is_known(verifier: Verifier) -> bool:
    """Whether an export of it is loaded by its files alone: it is of compret's classes, and no user's, at any depth."""
    try:
        check_description(Settings("the verifier", describe(verifier)))
    except UserError:
        return False
    return True


def guard_settings(folder: Path) -> Settings:
    """What an export says of its verifier, as `save_verifier` wrote it.

    Raises:
        UserError: there is none, or it is not as it was written.
    """
    path = inside(folder, SETTINGS)
    if not path.exists():
        raise UserError(f"{folder}: no {SETTINGS} there; give the export of a fitted verifier")
    settings = Settings(str(path), read_json(path))
    settings.part("verifier")
    settings.flag("special_tokens")
    settings.number("recall_weight", 0.0)
    stored_calibration(settings)
    return settings


def load_verifier(folder: Path, settings: Settings, others: Sequence[type[Verifier]] = ()) -> Verifier:
    """The verifier of an export, with its weights; it may be compret's or one of the others."""
    return load(settings.part("verifier"), inside(folder, WEIGHTS), others)


def recall_folder(folder: Path) -> Path | None:
    """Of the encoder that recalls in place of the verifier's own, where an export has one."""
    path = inside(folder, RECALL)
    return path if path.is_dir() else None


def stored_calibration(settings: Settings) -> Calibration | None:
    """The calibration that settings hold; none where it is null.

    Raises:
        UserError: a number is missing, not finite, or out of its range.
    """
    stored = settings.part("calibration", None)
    if stored is None:
        return None
    rate = stored.number("false_accept_rate")
    if not 0 <= rate < 1:
        raise UserError(f"{stored.origin}: 'false_accept_rate' must be in [0, 1), not {rate:g}")
    return Calibration(
        threshold=stored.number("threshold"),
        false_accept_rate=rate,
        temperature=stored.number("temperature", above=0),
        shift=stored.number("shift"),
        validation_auroc=stored.number("validation_auroc", None),
    )
