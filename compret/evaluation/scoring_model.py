"""A model by its folder or hub id: what scores with it, and, for the export of a verifier, its calibration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from compret.evaluation.cosine_scorer import CosineScorer
from compret.evaluation.guard_files import SETTINGS
from compret.evaluation.retriever import TwoStageRetriever
from compret.evaluation.verifier_scorer import VerifierScorer
from compret.files import local_path
from compret.metrics.calibration import Calibration
from compret.nn.encoder import TextEncoder


@dataclass(frozen=True)
class ScoringModel:
    """A scorer, and the threshold that belongs to its scores."""

    scorer: CosineScorer | VerifierScorer
    calibration: Calibration | None = None


def load_model(model: str | Path, device: str | None = None) -> ScoringModel:
    """Any encoder by pooled cosine; the export of a verifier by its verifier, with its calibration.

    Args:
        model: a folder, or a hub id (owner/name or owner/name@revision).
        device: the first GPU where there is one, else the CPU, if None.

    Raises:
        UserError: it cannot be read.
    """
    device = device or best_device()
    folder = local_path(str(model))
    if (folder / SETTINGS).exists():
        guard = TwoStageRetriever.from_pretrained(folder, device)
        return ScoringModel(guard.scorer, guard.calibration)
    return ScoringModel(CosineScorer(TextEncoder(str(model)).to(device).eval()))


def best_device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"
