"""Float32 linear layers through oneDNN on CPU, in the directions in which it is faster than torch's default, MKL.

The results are those of `torch.nn.functional.linear` in another order of summation (1e-6 relative). Anything but
float32 on a CPU takes torch's own path.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compret.compat import onednn_linear

FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT = "linear", "linear_input_gradient", "linear_weight_gradient"
GELU = "linear_gelu"
_ROWS = 4096
Product = Callable[[Tensor, Tensor], Tensor]


def use_onednn(model: nn.Module, faster: frozenset[str]) -> None:
    """Swap a model's linear layers, and linear-GELU pairs of BERT-like blocks, for those of this file; names stay.

    Args:
        faster: the directions that oneDNN computes; torch computes the others.
    """
    for name, module in list(model.named_modules()):
        if type(module) is nn.Linear and faster & {FORWARD, INPUT_GRADIENT, WEIGHT_GRADIENT}:
            model.set_submodule(name, OneDNNLinear(module, faster))
    for name, module in list(model.named_modules()):
        if GELU in faster and isinstance(getattr(module, "dense", None), nn.Linear) and _is_gelu(module):
            model.set_submodule(name, LinearGELU(module))


class OneDNNLinear(nn.Linear):
    """A linear layer that shares the parameters of the one it replaces."""

    def __init__(self, plain: nn.Linear, faster: frozenset[str]) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = plain.in_features, plain.out_features
        self.weight, self.bias = plain.weight, plain.bias
        self.faster = faster

    def forward(self, input: Tensor) -> Tensor:
        if not _fits(input, self.weight):
            return F.linear(input, self.weight, self.bias)
        return _Linear.apply(input, self.weight, self.bias, self.faster)  # type: ignore[no-any-return, no-untyped-call]


class LinearGELU(nn.Module):
    """A BERT block's `dense` and exact GELU; one kernel where no gradient is wanted."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.dense = block.dense
        self.intermediate_act_fn = block.intermediate_act_fn

    def forward(self, hidden_states: Tensor) -> Tensor:
        # an adapter may have been put around `dense`
        plain = isinstance(self.dense, nn.Linear)
        if torch.is_grad_enabled() or not plain or not _fits(hidden_states, self.dense.weight):
            return self.intermediate_act_fn(self.dense(hidden_states))  # type: ignore[no-any-return]
        return onednn_linear(hidden_states, self.dense.weight, self.dense.bias, "gelu")


class _Linear(torch.autograd.Function):
    """y = x Wᵀ + b, and the two products of its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, faster: frozenset[str]) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.faster = faster
        return (onednn_linear if FORWARD in faster else F.linear)(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        (grad,) = grads
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias, _ = ctx.needs_input_grad
        rows, x_RI = grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])
        of_input: Product = input_gradient if INPUT_GRADIENT in ctx.faster else torch.matmul
        of_weight: Product = weight_gradient if WEIGHT_GRADIENT in ctx.faster else torchs_weight_gradient
        grad_x = of_input(grad, weight) if needs_x else None
        grad_weight = of_weight(rows, x_RI) if needs_weight else None
        return grad_x, grad_weight, rows.sum(0) if needs_bias else None, None


def input_gradient(grad_RO: Tensor, weight_OI: Tensor) -> Tensor:
    """grad W, `(R, I)`."""
    return onednn_linear(grad_RO, weight_OI.t(), None)


def weight_gradient(grad_RO: Tensor, x_RI: Tensor) -> Tensor:
    """gradᵀ x, `(O, I)`; summed over blocks of rows, since oneDNN slows down on a long inner dimension."""
    blocks = zip(grad_RO.split(_ROWS), x_RI.split(_ROWS), strict=True)
    parts = [onednn_linear(grad.t(), x.t(), None) for grad, x in blocks]
    return parts[0] if len(parts) == 1 else torch.stack(parts).sum(0)


def torchs_weight_gradient(grad_RO: Tensor, x_RI: Tensor) -> Tensor:
    return grad_RO.t() @ x_RI


def _fits(x: Tensor, weight: Tensor) -> bool:
    on_cpu = x.device.type == "cpu" and x.dtype == weight.dtype == torch.float32
    return on_cpu and x.numel() > 0 and not torch.is_autocast_enabled("cpu")


def _is_gelu(block: Any) -> bool:
    return type(getattr(block, "intermediate_act_fn", None)).__name__ in ("GELUActivation", "GELU")
