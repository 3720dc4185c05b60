"""What every task does: run suites, log their numbers, write results.json; refuse the weights of another model."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from compret.distributed import gradient_norm, is_sharded, rank
from compret.evaluation.approximate import Search
from compret.evaluation.bench import Bench
from compret.evaluation.cosine_scorer import CosineScorer
from compret.evaluation.result import EvaluationSet
from compret.evaluation.results import Results
from compret.evaluation.scorer import Scorer
from compret.nn.encoder import TextEncoder
from compret.nn.weights import check_finite
from compret.tasks.meta import run_meta
from compret.tasks.optimizer import AdamW, can_fuse, configure, mark_matrices
from compret.types import TextFile, TripletBatch, UserError, Whole

log = logging.getLogger(__name__)

CHECKPOINT_KEY = "compret"


class SuiteRunner(LightningModule):
    """A LightningModule that validates and tests on suites; subclasses hold `encoder` and train it."""

    encoder: TextEncoder
    recipe: dict[str, Any]
    """What a checkpoint must say for its encoder to be built again: plain values by argument name."""
    search: Search = "exact"
    config_text: str | None = None
    """The resolved configuration, set by the command line."""

    def setup(self, stage: str) -> None:
        mark_matrices(self)

    def on_fit_start(self) -> None:
        self._tell_what_is_left_out()
        self.seed = torch.initial_seed()
        self.truncated = 0

    def on_train_batch_start(self, batch: TripletBatch, batch_idx: int) -> None:
        """Each step's random numbers follow from seed, rank and step, so that a resumed run draws the same."""
        step = self.trainer.fit_loop.total_batch_idx
        state = np.random.SeedSequence([self.seed, rank(), step]).generate_state(1, np.uint64)
        torch.manual_seed(int(state[0] >> 1))
        self.truncated += batch.truncated

    def on_train_end(self) -> None:
        if self.truncated:
            log.info(
                "%d training texts were longer than %d tokens and lost their end",
                self.truncated,
                self.encoder.max_length,
            )

    def optimised(self, *parts: tuple[nn.Module, AdamW]) -> Any:
        """What `configure_optimizers` returns, for modules with their settings."""
        return configure(parts, int(self.trainer.estimated_stepping_batches), can_fuse(self.trainer))

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """The norms of encoder and verifier are clipped apart, as in the paper; over all shards of a gradient."""
        if gradient_clip_algorithm == "value":
            super().configure_gradient_clipping(optimizer, gradient_clip_val, gradient_clip_algorithm)
        elif gradient_clip_val:
            for part in self.children():
                norm = gradient_norm(part, is_sharded(self.trainer.model))
                if norm is not None:
                    torch.nn.utils.clip_grads_with_norm_(part.parameters(), gradient_clip_val, norm)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        kind = f"{type(self).__module__}.{type(self).__qualname__}"
        facts = {"recipe": self.recipe, "config": self.config_text, "revision": self.encoder.revision}
        checkpoint[CHECKPOINT_KEY] = {"class": kind, **facts}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse the weights of another model, or such as are no numbers, in one line.

        Strategies that shard the model load its weights by themselves and leave none here.
        """
        if "state_dict" not in checkpoint:
            return
        self._take_encoder(checkpoint)
        ours = {name: tensor.shape for name, tensor in self.state_dict().items()}
        for name in [name for name in checkpoint["state_dict"] if ".pooler." in name and name not in ours]:
            del checkpoint["state_dict"][name]  # of older versions; it was never used
        theirs = {name: tensor.shape for name, tensor in checkpoint["state_dict"].items()}
        if ours != theirs:
            made_of = checkpoint.get(CHECKPOINT_KEY, {}).get("recipe", {}).get("backbone", "another model")
            raise UserError(
                f"the checkpoint holds weights of {made_of}, this model is {self.encoder.name}; "
                "give the --model options that it was trained with"
            )
        check_finite(checkpoint["state_dict"], "the checkpoint")

    def leave_out_encoder(self, checkpoint: dict[str, Any]) -> None:
        """Of a model that never changes it: its backbone and revision are in the checkpoint."""
        for name in [name for name in checkpoint["state_dict"] if name.startswith("encoder.")]:
            del checkpoint["state_dict"][name]

    def _take_encoder(self, checkpoint: dict[str, Any]) -> None:
        """A frozen encoder is in no checkpoint, nor is an export's: it is the backbone, of the same revision."""
        if any(name.startswith("encoder.") for name in checkpoint["state_dict"]):
            return
        stored = checkpoint.get(CHECKPOINT_KEY, {})
        if stored.get("revision") != self.encoder.revision:
            trained_on = f"{stored.get('recipe', {}).get('backbone')} ({stored.get('revision')})"
            raise UserError(
                f"the checkpoint's verifier was trained on {trained_on}, this backbone is {self.encoder.name} "
                f"({self.encoder.revision})"
            )
        checkpoint["state_dict"] |= {f"encoder.{k}": v for k, v in self.encoder.state_dict().items()}

    def _tell_what_is_left_out(self) -> None:
        """A verifier's export that is given as a backbone."""
        if self.encoder.has_verifier and not self.trainer.ckpt_path:
            log.warning(
                "%s: an export of which the backbone is the encoder alone; to test its verifier too, give it as "
                "--ckpt_path in place of --model.backbone",
                self.encoder.name,
            )

    def scorer(self) -> Scorer:
        """What suites ask, with the weights as they are now."""
        return CosineScorer(self.encoder, self.search)

    def on_validation_epoch_start(self) -> None:
        if self.trainer.state.fn == "validate":
            self._tell_what_is_left_out()
        self.bench = Bench(self.scorer())

    def on_test_epoch_start(self) -> None:
        self._tell_what_is_left_out()
        self.bench = Bench(self.scorer(), baselines=True)

    def batch_loss(self, batch: TripletBatch) -> Tensor:
        """The loss of this rank's rows."""
        raise NotImplementedError

    def validation_step(
        self, batch: TripletBatch | Whole[EvaluationSet], batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        if isinstance(batch, Whole):
            self.bench.run(batch.content)
            return
        loss, rows = self.batch_loss(batch), len(batch)
        self.log("val_loss", loss, batch_size=rows, sync_dist=True, add_dataloader_idx=False, prog_bar=True)

    def test_step(self, batch: Whole[EvaluationSet], batch_idx: int, dataloader_idx: int = 0) -> None:
        self.bench.run(batch.content)

    def on_test_epoch_end(self) -> None:
        """Log the numbers and write results.json, runs/ and scores/ into the run's log folder."""
        results = self.bench.results(run_meta(self.trainer, self.bench.scorer, self.config_text))
        self.log_dict(results.flat())
        _tell(results)
        folder = Path(self.trainer.log_dir or self.trainer.default_root_dir)  # asked of rank 0 by all
        if rank() == 0 and not getattr(self.trainer, "fast_dev_run", False):
            results.write(folder)
            log.info("results: %s", folder / "results.json")

    def on_validation_epoch_end(self) -> None:
        """Log the suites' numbers and `val_score`, by which a checkpoint is chosen."""
        if not self.bench.found:
            return
        results = self.bench.results({})
        self.log_dict(results.flat())
        _tell(results)
        self.log("val_score", results.headline(), prog_bar=True)

    def predict_step(self, batch: Whole[TextFile], batch_idx: int, dataloader_idx: int = 0) -> str:
        """Write the vectors of a text file; the answer is the file written."""
        from compret.evaluation.embed import write_embeddings

        return str(write_embeddings(self.encoder, batch.content))


def _tell(results: Results) -> None:
    """The headline numbers and what was done to the texts, one line a dataset; all numbers are in results.json."""
    if rank() > 0:
        return
    for result in results.all:
        defined = {words: result.metrics.get(metric) for metric, words in result.shown.items()}
        values = [f"{words} {value:.4f}" for words, value in defined.items() if value is not None]
        counts = [f"{count:,} {name.replace('_', ' ')}" for name, count in result.counts.items() if count]
        log.info("%s: %s (%s)", result.name, ", ".join(values) or "no number is defined", ", ".join(counts))
