"""At the end of a fit: a folder that SentenceTransformer loads, with a model card."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities import rank_zero_only

from compret.evaluation.guard_files import save_verifier
from compret.tasks.checkpoint import READ_SHARDS
from compret.types import UserError

log = logging.getLogger(__name__)
_AGAIN = "make space, and the same command with --ckpt_path .../last.ckpt writes it"


class Export(Callback):
    """Writes the last weights and README.md into `folder`; the folder appears only when it is whole.

    They are those of last.ckpt, also where validation chose a best.ckpt, whose weights every command takes with
    `--ckpt_path`.

    Args:
        folder: where the export goes; an older one there is replaced.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @rank_zero_only
    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        if isinstance(trainer.strategy, READ_SHARDS):
            log.warning("no export: this rank has a shard of the model; compret test takes the checkpoint")
            return
        if not getattr(pl_module, "exports", True):
            log.info("no export: compret test takes the checkpoint of a %s", type(pl_module).__name__)
            return
        unfinished = self.folder.with_name(self.folder.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            _write(unfinished, trainer, pl_module)
            shutil.rmtree(self.folder, ignore_errors=True)
            unfinished.rename(self.folder)
        except Exception as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            # safetensors and tokenizers, written in Rust, raise errors of their own for what the system refused
            if isinstance(error, OSError) or "(os error " in str(error):
                raise UserError(f"{self.folder}: the export cannot be written ({error}); {_AGAIN}") from error
            raise


def _write(folder: Path, trainer: Trainer, module: Any) -> None:
    module.encoder.save(folder)
    if hasattr(module, "verifier"):
        save_verifier(folder, module.verifier, module.special_tokens, module.calibration, module.recall)
    (folder / "README.md").write_text(model_card(trainer, module), encoding="utf-8")


def model_card(trainer: Trainer, module: Any) -> str:
    """Markdown: backbone, data, loss, optimiser, seed, steps and the last validation results."""
    data: Any = trainer.datamodule  # type: ignore[attr-defined]
    facts = {
        "backbone": f"{module.encoder.name} ({module.encoder.revision})",
        "pooling, tokens": f"{module.encoder.pooling}, {module.encoder.max_length}",
        "steps": trainer.global_step,
        "batch": f"{getattr(data, 'batch_size', '?')} x {trainer.world_size}",
        "loss": module.loss,
        "optimiser": module.optimizer,
        "seed": getattr(data, "seed", "?"),
        "precision": trainer.precision,
    }
    if hasattr(module, "verifier") and module.recall.encoder is not None:
        facts["recall"] = f"by {module.recall.encoder.name}, whose cosine counts {module.recall.weight:g} times"
    results = {name: round(float(value), 4) for name, value in sorted(trainer.callback_metrics.items())}
    sources = getattr(data, "fingerprints", {})
    shares = getattr(data, "weights", None) or ["by rows"] * len(sources)
    return "\n".join(
        [
            "---\nlibrary_name: sentence-transformers\ntags: [sentence-transformers, compret]\n---",
            f"# {module.encoder.name.rsplit('/', 1)[-1]}, trained with compret\n",
            *(f"- {name}: {value}" for name, value in facts.items()),
            "\n## Data\n\n| source | share | fingerprint |\n|---|---|---|",
            *(f"| {name} | {share} | {key} |" for (name, key), share in zip(sources.items(), shares, strict=True)),
            "\n## Results of the last validation\n\n```json",
            json.dumps(results, indent=1),
            "```\n",
        ]
    )
