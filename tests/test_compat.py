"""The private names that compret stands on are there and do what is asked of them (the gathering: test_two_ranks)."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.distributed import _functional_collectives as collectives

from compret import compat


def test_torch_has_a_gathering_with_gradients() -> None:
    assert hasattr(collectives, "all_gather_single_autograd") or hasattr(collectives, "all_gather_tensor_autograd")


@pytest.mark.skipif(not compat.has_onednn_linear(), reason="this build of torch has no oneDNN linear")
@pytest.mark.parametrize("then", ["none", "gelu"])
def test_onednn_multiplies(then: str) -> None:
    x, weight, bias = torch.randn(5, 8), torch.randn(6, 8), torch.randn(6)
    expected = nn.functional.linear(x, weight, bias)
    expected = nn.functional.gelu(expected) if then == "gelu" else expected
    torch.testing.assert_close(compat.onednn_linear(x, weight, bias, then), expected, rtol=1e-5, atol=1e-5)


def test_a_model_names_its_attention() -> None:
    from transformers import BertConfig, BertModel

    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = BertModel(BertConfig(vocab_size=10, attn_implementation="sdpa", **sizes))
    assert compat.attention_name(model) == "sdpa"
    model.set_attn_implementation("eager")
    assert compat.attention_name(model) == "eager"
