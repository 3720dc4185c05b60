"""The fast dropout: its rate, its gradient, its seed, and attention with and without it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from compret.nn import TextEncoder
from compret.nn.cpu import CPUKernels
from compret.nn.cpu.dropout import DROPOUT, FastDropout, attention, dropout, keep_mask, use_fast_dropout
from compret.nn.dropout import set_dropout


@pytest.mark.parametrize("probability", [0.001, 0.1, 0.5, 0.9])
def test_the_rate_is_that_asked_for(probability: float) -> None:
    torch.manual_seed(0)
    size = 4_000_001
    kept = keep_mask(torch.Size([size]), probability).double().mean().item()
    assert abs(kept - (1 - probability)) < 5 * (probability * (1 - probability) / size) ** 0.5 + 2**-17


def test_neighbouring_decisions_are_independent() -> None:
    torch.manual_seed(0)
    mask = keep_mask(torch.Size([1_000_000, 4]), 0.3).double()
    correlation = torch.corrcoef(mask.T) - torch.eye(4, dtype=torch.float64)
    assert correlation.abs().max() < 0.006


def test_values_and_gradient_are_those_of_the_mask() -> None:
    x = torch.randn(7, 5, 3, requires_grad=True)
    torch.manual_seed(3)
    mask = keep_mask(x.shape, 0.25)
    torch.manual_seed(3)
    y = dropout(x, 0.25)
    torch.testing.assert_close(y, x * mask / 0.75)
    (gradient,) = torch.autograd.grad(y.square().sum(), x)
    torch.testing.assert_close(gradient, 2 * x * mask / 0.75**2)


def test_a_seed_fixes_it_and_evaluation_turns_it_off() -> None:
    layer, x = FastDropout(0.5), torch.ones(100)
    outcomes = []
    for _ in range(2):
        torch.manual_seed(1)
        outcomes.append(layer(x))
    assert torch.equal(*outcomes)
    assert torch.equal(layer.eval()(x), x)


def test_attention_without_dropout_is_torchs_and_with_it_has_its_mean() -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 4, 6, 8)
    mask = torch.ones(2, 1, 6, 6, dtype=torch.bool)
    mask[0, :, :, 4:] = False
    module = SimpleNamespace(is_causal=False)
    expected = nn.functional.scaled_dot_product_attention(query, key, value, mask).transpose(1, 2)
    found, _ = attention(module, query, key, value, mask)  # type: ignore[arg-type]
    torch.testing.assert_close(found, expected)
    dropped = [attention(module, query, key, value, mask, dropout=0.3)[0] for _ in range(3000)]  # type: ignore[arg-type]
    assert not torch.equal(dropped[0], expected)
    torch.testing.assert_close(torch.stack(dropped).mean(0), expected, atol=0.06, rtol=0)


@pytest.mark.parametrize("cpu_kernels", ["auto", "off"])
def test_a_model_gets_one_probability_everywhere(tiny: Path, cpu_kernels: CPUKernels) -> None:
    own = TextEncoder(str(tiny), cpu_kernels=cpu_kernels)
    assert {m.p for m in own.modules() if isinstance(m, nn.Dropout)} == {0.1}
    off = TextEncoder(str(tiny), dropout=0.0, cpu_kernels=cpu_kernels)
    assert {m.p for m in off.modules() if isinstance(m, nn.Dropout)} == {0.0}
    batch = off.tokenizer.pad(off.tokenizer(["the dog bit the man", "a cat"], "query").ids)
    assert torch.equal(off(batch).pooled_BD, off(batch).pooled_BD)
    assert not torch.equal(own(batch).pooled_BD, own(batch).pooled_BD)
    torch.testing.assert_close(own.eval()(batch).pooled_BD, off(batch).pooled_BD)


def test_a_row_that_sees_no_key_is_finite_and_so_is_its_gradient() -> None:
    states = torch.randn(1, 1, 4, 8, requires_grad=True)
    mask = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    mask[:, :, 3] = False
    found, _ = attention(SimpleNamespace(is_causal=False), states, states, states, mask, dropout=0.1)  # type: ignore[arg-type]
    (gradient,) = torch.autograd.grad(found.sum(), states)
    assert found.isfinite().all()
    assert gradient.isfinite().all()


def test_modernbert_gets_every_dropout_and_stays_finite_where_padding_outruns_its_window() -> None:
    from transformers import ModernBertConfig, ModernBertModel

    special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2}
    torch.manual_seed(0)
    model = ModernBertModel(ModernBertConfig(vocab_size=50, local_attention=8, **sizes, **special)).train()
    set_dropout(model, 0.1)
    use_fast_dropout(model, frozenset({DROPOUT}))
    assert all(isinstance(layer.attn.out_drop, FastDropout) for layer in model.layers)
    mask = torch.ones(2, 32, dtype=torch.long)
    mask[1, 5:] = 0
    states = model(input_ids=torch.randint(3, 50, (2, 32)), attention_mask=mask).last_hidden_state
    states[mask.bool()].sum().backward()
    assert states.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
