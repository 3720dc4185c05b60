"""What a results file says of the run that made it."""

from __future__ import annotations

import hashlib
import os
from typing import Any

from lightning.pytorch import Trainer

from compret.evaluation.scorer import Scorer
from compret.evaluation.versions import versions


def run_meta(trainer: Trainer, scorer: Scorer, config: str | None) -> dict[str, Any]:
    """Versions, model, checkpoint, config hash, seed, device and precision of a running trainer.

    Args:
        config: the resolved configuration as text, if the command line made one.
    """
    seed = os.environ.get("PL_GLOBAL_SEED")
    return {
        "versions": versions(),
        **scorer.describe(),
        "checkpoint": str(trainer.ckpt_path) if trainer.ckpt_path else None,
        "config_hash": hashlib.sha256(config.encode()).hexdigest() if config else None,
        "seed": int(seed) if seed else None,
        "device": str(trainer.strategy.root_device),
        "precision": str(trainer.precision),
        "world_size": trainer.world_size,
    }
