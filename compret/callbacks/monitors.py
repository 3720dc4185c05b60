"""Throughput: what each rank does in a second, how much memory it took and how large its gradients are."""

from __future__ import annotations

import resource
import sys
import time
from typing import Any

import torch
from lightning.fabric.utilities.throughput import get_available_flops
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from compret.distributed import gather_objects, gradient_norm, is_sharded
from compret.types import TripletBatch

_TYPES = {"bf16": torch.bfloat16, "16": torch.float16, "64": torch.float64}
_GIB = 1 << 30


class Throughput(Callback):
    """Logs, under `rank_R/` and every `trainer.log_every_n_steps` steps, means since the last time:

    - `texts_per_second`, `tokens_per_second`: texts and their tokens, padding not counted; time spent on validation is
      not counted either.
    - `tflops_per_second`: 10^12 floating-point operations that training the encoder on those tokens takes (see
      `compret.nn.flops`); the verifier is not counted, and a frozen encoder has no such number.
    - `mfu`: model FLOP utilisation, in [0, 1]: their share of what the device can do at its precision; left out where
      Lightning does not know the device.
    - `peak_memory_gib`: the most that tensors took on the GPU, or this process in RAM, since it began.
    - `grad_norm_encoder`, `grad_norm_verifier`: norm of the last step's gradient before it is clipped.

    The device is waited for once each time, never in the steps between. `texts_per_second` holds this rank's mean over
    the whole fit when training has ended; without a logger it is all that is measured.
    """

    texts_per_second: float | None = None
    since: float
    started: float

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self.device = trainer.strategy.root_device
        self.peak = _peak_flops(self.device, str(trainer.precision))
        self.size: Any = pl_module.encoder.size
        self.logged = -1
        self.norms: dict[str, Tensor] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin()
        self.started, self.all_texts = self.since, 0

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.texts_per_second = self.all_texts / max(self._now() - self.started, 1e-9)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.paused = self._now()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            paused = self._now() - self.paused
            self.since, self.started = self.since + paused, self.started + paused

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Any) -> None:
        if _is_due(trainer, trainer.global_step + 1):
            parts = {name: getattr(pl_module, name, None) for name in ("encoder", "verifier")}
            in_shards = is_sharded(trainer.model)
            norms = {f"grad_norm_{name}": gradient_norm(part, in_shards) for name, part in parts.items() if part}
            self.norms = {name: norm for name, norm in norms.items() if norm is not None}

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: TripletBatch, batch_idx: int
    ) -> None:
        self.texts += len(batch.lengths)
        self.all_texts += len(batch.lengths)
        self.tokens += sum(batch.lengths)
        self.flops += self.size.training_flops(batch.lengths) if self.size.trained else 0
        step = trainer.global_step
        if step == self.logged or not _is_due(trainer, step):
            return
        ranks = gather_objects(self._values())
        named = {f"rank_{rank}/{name}": value for rank, values in enumerate(ranks) for name, value in values.items()}
        for logger in trainer.loggers:
            logger.log_metrics(named, step=step - 1)  # Lightning counts steps from 0 there
        self.logged = step
        self._begin()

    def _begin(self) -> None:
        self.since = self._now()
        self.texts = self.tokens = self.flops = 0
        self.norms = {}

    def _values(self) -> dict[str, float]:
        seconds = self._now() - self.since
        values = {"texts_per_second": self.texts / seconds, "tokens_per_second": self.tokens / seconds}
        if self.flops:
            values["tflops_per_second"] = self.flops / seconds / 1e12
        if self.flops and self.peak:
            values["mfu"] = self.flops / seconds / self.peak
        values["peak_memory_gib"] = _peak_memory(self.device) / _GIB
        return values | {name: float(norm) for name, norm in self.norms.items()}

    def _now(self) -> float:
        """Seconds, when all that the device was given is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def _is_due(trainer: Trainer, step: int) -> bool:
    every: int = trainer.log_every_n_steps  # type: ignore[attr-defined]
    return bool(trainer.loggers) and every > 0 and step % every == 0


def _peak_flops(device: torch.device, precision: str) -> int | None:
    """What the device can do in a second with dense matrices of a precision; Lightning knows common GPUs."""
    return get_available_flops(device, _TYPES.get(precision.partition("-")[0], torch.float32))


def _peak_memory(device: torch.device) -> int:
    """Bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
