"""Float32 linear layers through oneDNN on CPU: torch's default, MKL, runs at half its speed on processors not Intel's.

The results are those of `torch.nn.functional.linear` in another order of summation (1e-6 relative). Anything but
float32 on a CPU takes torch's own path.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_ROWS = 4096


def use_onednn(model: nn.Module) -> None:
    """Swap a model's linear layers, and linear-GELU pairs of BERT-like blocks, for those of this file; names stay."""
    if not available():
        return
    for name, module in list(model.named_modules()):
        if type(module) is nn.Linear:
            model.set_submodule(name, OneDNNLinear(module))
    for name, module in list(model.named_modules()):
        if isinstance(getattr(module, "dense", None), OneDNNLinear) and _is_gelu(module):
            model.set_submodule(name, LinearGELU(module))


def available() -> bool:
    """Whether this build of torch has oneDNN's linear."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


class OneDNNLinear(nn.Linear):
    """A linear layer that shares the parameters of the one it replaces."""

    def __init__(self, plain: nn.Linear) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = plain.in_features, plain.out_features
        self.weight, self.bias = plain.weight, plain.bias

    def forward(self, input: Tensor) -> Tensor:
        if not _fits(input, self.weight):
            return F.linear(input, self.weight, self.bias)
        return _Linear.apply(input, self.weight, self.bias)  # type: ignore[no-any-return, no-untyped-call]


class LinearGELU(nn.Module):
    """A BERT block's `dense` and exact GELU; one kernel where no gradient is wanted."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.dense = block.dense
        self.intermediate_act_fn = block.intermediate_act_fn

    def forward(self, hidden_states: Tensor) -> Tensor:
        # an adapter may have been put around `dense`
        plain = isinstance(self.dense, OneDNNLinear)
        if torch.is_grad_enabled() or not plain or not _fits(hidden_states, self.dense.weight):
            return self.intermediate_act_fn(self.dense(hidden_states))  # type: ignore[no-any-return]
        return _pointwise(hidden_states, self.dense.weight, self.dense.bias, "gelu")


class _Linear(torch.autograd.Function):
    """y = x Wᵀ + b, and the two products of its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _pointwise(x, weight, bias, "none")

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        (grad,) = grads
        x, weight = ctx.saved_tensors
        needs_x, needs_weight, needs_bias = ctx.needs_input_grad
        rows = grad.reshape(-1, grad.shape[-1])
        grad_x = _pointwise(grad, weight.t(), None, "none") if needs_x else None
        grad_weight = _weight_gradient(rows, x.reshape(-1, x.shape[-1])) if needs_weight else None
        return grad_x, grad_weight, rows.sum(0) if needs_bias else None


def _weight_gradient(grad_RO: Tensor, x_RI: Tensor) -> Tensor:
    """gradᵀ x, `(O, I)`; summed over blocks of rows, since oneDNN slows down on a long inner dimension."""
    blocks = zip(grad_RO.split(_ROWS), x_RI.split(_ROWS), strict=True)
    parts = [_pointwise(grad.t(), x.t(), None, "none") for grad, x in blocks]
    return parts[0] if len(parts) == 1 else torch.stack(parts).sum(0)


def _pointwise(x: Tensor, weight: Tensor, bias: Tensor | None, then: str) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, then, [], "none")  # type: ignore[no-any-return]


def _fits(x: Tensor, weight: Tensor) -> bool:
    on_cpu = x.device.type == "cpu" and x.dtype == weight.dtype == torch.float32
    return on_cpu and x.numel() > 0 and not torch.is_autocast_enabled("cpu")


def _is_gelu(block: Any) -> bool:
    return type(getattr(block, "intermediate_act_fn", None)).__name__ in ("GELUActivation", "GELU")
