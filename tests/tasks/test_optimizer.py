"""The fused AdamW makes the steps of the plain one, and is used where nothing stands against it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from compret.tasks.optimizer import AdamW, can_fuse, configure

Run = Callable[..., tuple[int, str]]


def after_steps(optimizer: Any, model: nn.Module) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    for _ in range(5):
        optimizer.zero_grad()
        model(torch.randn(8, 4, generator=generator)).square().sum().backward()
        optimizer.step()
    return [parameter.detach() for parameter in model.parameters()]


def test_fused_steps_are_those_of_plain_adamw() -> None:
    torch.manual_seed(0)
    ours, plain = nn.Linear(4, 3), nn.Linear(4, 3)
    plain.load_state_dict(ours.state_dict())
    fused = configure([(ours, AdamW(lr=0.1, weight_decay=0.2, warmup=0, schedule="constant"))], 5, fused=True)
    groups = [{"params": [plain.weight], "weight_decay": 0.2}, {"params": [plain.bias], "weight_decay": 0.0}]
    expected = after_steps(torch.optim.AdamW(groups, lr=0.1, foreach=False, fused=False), plain)
    assert all(group["fused"] for group in fused["optimizer"].param_groups)
    torch.testing.assert_close(after_steps(fused["optimizer"], ours), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("precision", "algorithm", "fits"),
    [
        ("32-true", None, True),
        ("bf16-mixed", "norm", True),
        ("bf16-mixed", "value", False),
        ("16-mixed", None, False),
    ],
)
def test_where_it_fits(precision: str, algorithm: str | None, fits: bool) -> None:
    trainer: Any = SimpleNamespace(precision=precision, gradient_clip_algorithm=algorithm)
    assert can_fuse(trainer) == fits


@pytest.mark.parametrize("algorithm", ["norm", "value"])
def test_gradients_are_clipped_in_mixed_precision(compret: Run, tiny: Path, triplets: Path, algorithm: str) -> None:
    clipped = ("--trainer.gradient_clip_val", 1, "--trainer.gradient_clip_algorithm", algorithm)
    code, said = compret(
        *("fit", "--model.backbone", tiny, "--trainer.accelerator", "cpu", "--trainer.precision", "bf16-mixed"),
        *("--trainer.enable_progress_bar", "false", "--trainer.max_steps", 2, *clipped),
        *("--data.files", f"[{triplets}]", "--data.batch_size", 8, "--data.workers", 0, "--data.validation", "null"),
    )
    assert code == 0, said
