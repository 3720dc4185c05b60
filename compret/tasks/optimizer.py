"""AdamW with a warmed-up schedule, and which parameters decay."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.utilities import GradClipAlgorithmType
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from compret.types import UserError

Schedule = Literal["linear", "cosine", "constant"]


@dataclass(frozen=True)
class AdamW:
    """AdamW (Loshchilov and Hutter 2019); biases and norms do not decay, as in transformers' Trainer."""

    lr: float = 2e-5
    """Learning rate at its peak."""
    weight_decay: float = 0.01
    """Decay of the weight matrices."""
    schedule: Schedule = "linear"
    """How the rate falls after the warm-up: linear or cosine to 0, or constant."""
    warmup: int | float = 0.1
    """Steps of linear warm-up if a whole number of at least 1, else their share of all steps."""

    def __post_init__(self) -> None:
        for option in ("lr", "weight_decay", "warmup"):
            if not 0 <= getattr(self, option) < math.inf:
                raise UserError(f"model.optimizer.{option} {getattr(self, option)}: at least 0, and finite")
        if self.warmup > 1 and self.warmup != int(self.warmup):
            raise UserError(f"model.optimizer.warmup {self.warmup}: whole steps, or a share up to 1")

    def groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """The trainable parameters of a module: those that decay, and those that do not."""
        trained = [p for p in module.parameters() if p.requires_grad]
        groups = [
            {"params": [p for p in trained if _is_matrix(p)], "weight_decay": self.weight_decay, "lr": self.lr},
            {"params": [p for p in trained if not _is_matrix(p)], "weight_decay": 0.0, "lr": self.lr},
        ]
        return [group for group in groups if group["params"]]

    def rate(self, step: int, total_steps: int) -> float:
        """The learning rate at a step as a share of its peak."""
        return rate_factor(step, total_steps, self.warmup_steps(total_steps), self.schedule)

    def warmup_steps(self, total_steps: int) -> int:
        """Whole numbers of at least 1 are steps; anything else is a share, rounded up as transformers does."""
        is_share = self.warmup < 1 or (isinstance(self.warmup, float) and self.warmup == 1.0)
        return math.ceil(self.warmup * total_steps) if is_share else int(self.warmup)


def mark_matrices(module: nn.Module) -> None:
    """Note which parameters decay, before a strategy shards them: the shards of a matrix are flat."""
    for parameter in module.parameters():
        parameter.is_matrix = parameter.ndim >= 2  # type: ignore[attr-defined]


def _is_matrix(parameter: nn.Parameter) -> bool:
    return bool(getattr(parameter, "is_matrix", parameter.ndim >= 2))


def can_fuse(trainer: Trainer) -> bool:
    """Whether AdamW may be fused. It would take gradients as float16's scaler left them, and none such may be clipped;
    and Lightning clips no values for it.
    """
    return trainer.precision != "16-mixed" and trainer.gradient_clip_algorithm != GradClipAlgorithmType.VALUE


def configure(parts: Iterable[tuple[nn.Module, AdamW]], total_steps: int, fused: bool = False) -> Any:
    """What `LightningModule.configure_optimizers` returns: one optimiser, each module with its own settings.

    Args:
        fused: update all parameters in one kernel, where the device has it: a step of the optimiser takes a quarter of
            the time on a CPU.

    Raises:
        UserError: no parameter is trainable.
    """
    grouped = [(group, settings) for module, settings in parts for group in settings.groups(module)]
    if not grouped:
        raise UserError("nothing is left to train: see model.freeze, model.frozen and the verifier's parameters")
    groups = [group for group, _ in grouped]
    has_kernel = {p.device.type for group in groups for p in group["params"]} <= {"cpu", "cuda"}
    optimizer = torch.optim.AdamW(groups, fused=True if fused and has_kernel else None)
    rates: list[Callable[[int], float]] = [partial(s.rate, total_steps=total_steps) for _, s in grouped]
    scheduler = LambdaLR(optimizer, rates)
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def rate_factor(step: int, total_steps: int, warmup_steps: int, schedule: Schedule) -> float:
    """The learning rate at a step as a share of its peak, in [0, 1]."""
    if step < warmup_steps:
        return step / warmup_steps
    done = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    match schedule:
        case "constant":
            return 1.0
        case "linear":
            return max(0.0, 1.0 - done)
        case "cosine":
            return 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))
