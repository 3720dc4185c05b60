"""What a results file says of the run that made it."""

from __future__ import annotations

import hashlib
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from compret.nn.verifiers import Verifier
from compret.nn.verifiers.stored import describe

if TYPE_CHECKING:
    from compret.tasks.suites import SuiteRunner

_PACKAGES = ("compret", "torch", "lightning", "transformers", "tokenizers", "datasets", "ranx", "torchmetrics")


def run_meta(task: SuiteRunner) -> dict[str, Any]:
    """Versions, backbone, verifier, checkpoint, config hash, seed, device and precision of the running trainer."""
    import os

    trainer = task.trainer
    seed = os.environ.get("PL_GLOBAL_SEED")
    verifier = getattr(task, "verifier", None)
    config, recalls = task.config_text, task.recall.encoder or task.encoder
    return {
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        "backbone": task.encoder.name,
        "revision": task.encoder.revision,
        "pooling": task.encoder.pooling,
        "backbone_similarity": task.encoder.similarity,
        "max_length": task.encoder.max_length,
        "verifier": describe(verifier) if isinstance(verifier, Verifier) else None,
        "special_tokens": getattr(task, "special_tokens", None),
        "prompts": dict(task.encoder.tokenizer.prompts),
        "checkpoint": str(trainer.ckpt_path) if trainer.ckpt_path else None,
        "config_hash": hashlib.sha256(config.encode()).hexdigest() if config else None,
        "seed": int(seed) if seed else None,
        "device": str(task.device),
        "cpu_kernels": task.encoder.cpu_kernels.to_dict() if task.device.type == "cpu" else None,
        "precision": str(trainer.precision),
        "search": task.search,
        "recall": {"backbone": recalls.name, "revision": recalls.revision, "weight": task.recall.weight},
        "world_size": trainer.world_size,
    }
