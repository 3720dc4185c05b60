"""The oneDNN linear layers compute what torch's do, forwards and backwards."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from torch import nn

from compret.compat import has_onednn_linear
from compret.nn.cpu.linear import FORWARD, GELU, INPUT_GRADIENT, WEIGHT_GRADIENT, LinearGELU, OneDNNLinear, use_onednn

pytestmark = pytest.mark.skipif(not has_onednn_linear(), reason="this build of torch has no oneDNN linear")
DIRECTIONS = (FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT)
ALL = frozenset(DIRECTIONS)
SOME = [frozenset(some) for size in range(4) for some in itertools.combinations(DIRECTIONS, size)]


@pytest.mark.parametrize("shape", [(1, 8), (5, 7, 8), (3, 0, 8), (2500, 2, 8)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("faster", SOME, ids=lambda some: "+".join(sorted(some)) or "none")
def test_values_and_gradients_are_those_of_torch(shape: tuple[int, ...], bias: bool, faster: frozenset[str]) -> None:
    torch.manual_seed(0)
    plain = nn.Linear(8, 6, bias=bias)
    layer = OneDNNLinear(copy.deepcopy(plain), faster)
    x = torch.randn(shape)
    results = []
    for module in (plain, layer):
        here = x.clone().requires_grad_()
        out = module(here)
        out.square().sum().backward()
        results.append([out, here.grad, *(p.grad for p in module.parameters())])
    torch.testing.assert_close(results[1], results[0], rtol=1e-5, atol=1e-3 if len(x) > 1000 else 1e-5)


def test_frozen_weights_get_no_gradient() -> None:
    layer = OneDNNLinear(nn.Linear(8, 6), ALL)
    layer.weight.requires_grad_(False)
    layer(torch.randn(3, 8)).sum().backward()
    assert layer.weight.grad is None
    assert layer.bias.grad is not None


def test_autocast_and_double_take_torchs_path() -> None:
    plain = nn.Linear(8, 6)
    layer = OneDNNLinear(plain, ALL)
    x = torch.randn(3, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(layer(x), plain(x))
        assert layer(x).dtype == torch.bfloat16
    assert torch.equal(layer.double()(x.double()), plain.double()(x.double()))


def test_linear_and_gelu_are_one_and_the_same() -> None:
    block = nn.Module()
    block.dense = nn.Linear(8, 16)
    block.intermediate_act_fn = nn.GELU()
    fused = LinearGELU(block)
    x = torch.randn(4, 5, 8)
    expected = nn.functional.gelu(nn.functional.linear(x, fused.dense.weight, fused.dense.bias))
    torch.testing.assert_close(fused(x), expected, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        torch.testing.assert_close(fused(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("faster", "kinds"),
    [
        ((), {nn.Linear, nn.GELU}),
        ((WEIGHT_GRADIENT,), {OneDNNLinear, nn.GELU}),
        ((GELU,), {LinearGELU, nn.Linear, nn.GELU}),
        ((GELU, FORWARD), {LinearGELU, OneDNNLinear, nn.GELU}),
    ],
)
def test_only_what_is_faster_is_swapped_and_names_stay(faster: tuple[str, ...], kinds: set[type[nn.Module]]) -> None:
    block = nn.Module()
    block.dense, block.intermediate_act_fn = nn.Linear(8, 16), nn.GELU()
    model = nn.Module()
    model.block = block
    names = set(model.state_dict())
    use_onednn(model, frozenset(faster))
    assert {type(module) for module in model.modules()} - {nn.Module} == kinds
    assert set(model.state_dict()) == names
