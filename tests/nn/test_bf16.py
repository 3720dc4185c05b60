"""The probe of bfloat16 measures this machine: a positive ratio of times, in little time."""

from __future__ import annotations

import time

import pytest
import torch

from compret.nn import bf16


def test_the_ratio_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < bf16.bf16_slowdown() < float("inf")
    product = torch.mm

    def slow(one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
        if one.dtype == torch.bfloat16:
            time.sleep(0.02)
        return product(one, two)

    monkeypatch.setattr(torch, "mm", slow)
    assert bf16.bf16_slowdown() > 2
