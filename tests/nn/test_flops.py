"""The formula of training's cost agrees with torch's counter of operations."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from compret.nn.encoder import LoRA, TextEncoder
from compret.nn.flops import Size
from compret.types import TokenBatch


def counted(encoder: TextEncoder, texts: int, length: int) -> int:
    """Operations of a forward and a backward pass over texts of one length, so that nothing is padding."""
    ids = torch.randint(5, 50, (texts, length))
    batch = TokenBatch(ids, torch.ones_like(ids), (length,) * texts)
    # the counter does not know the fused kernels of attention
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        encoder(batch).pooled_BD.sum().backward()
    return counter.get_total_flops()


@pytest.mark.parametrize(("texts", "length"), [(4, 32), (3, 8)])
@pytest.mark.parametrize(("lora", "within"), [(None, 0.01), (LoRA(rank=4), 0.1)])
def test_it_agrees_with_a_count(tiny: Path, texts: int, length: int, lora: LoRA | None, within: float) -> None:
    # the counter does not know oneDNN's kernels
    encoder = TextEncoder(str(tiny), dropout=0.0, lora=lora, cpu_kernels="off")
    # below the lowest adapters no gradient is computed, which is much of two layers and little of twelve
    assert encoder.size.training_flops([length] * texts) == pytest.approx(counted(encoder, texts, length), rel=within)


def test_a_text_costs_by_its_tokens_and_their_square() -> None:
    size = Size(weights=100, trained=50, layers=2, width=8)
    assert size.training_flops([3, 5]) == (4 * 100 + 2 * 50) * 8 + 12 * 2 * 8 * (9 + 25)
    assert size.training_flops([]) == 0


def test_embeddings_and_the_pooler_are_not_counted(tiny: Path) -> None:
    layer = 4 * 32 * 32 + 2 * 32 * 64
    assert TextEncoder(str(tiny)).size == Size(2 * layer, 2 * layer, 2, 32)
    assert TextEncoder(str(tiny), freeze=["encoder.layer.0"]).size == Size(2 * layer, layer, 2, 32)
