"""Dropout for CPUs: four decisions from each 64-bit random number, since drawing them is most of dropout's cost there.

The probability is exact to 2**-17 and the numbers come from torch's default generator. On a GPU torch's own is used.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from compret.compat import attention_name

DROPOUT = "dropout"
ATTENTION = "compret"
"""Name under which the attention is registered with transformers."""
_STEPS = 1 << 16


def use_fast_dropout(model: Any, faster: frozenset[str]) -> None:
    """Swap every dropout of a module, and a transformers model's attention, for this file's.

    Args:
        faster: kernels; nothing is swapped if `dropout` is none of them.
    """
    if DROPOUT not in faster:
        return
    for name, module in list(model.named_modules()):
        if type(module) is nn.Dropout:
            model.set_submodule(name, FastDropout(module.p))
    if hasattr(model, "set_attn_implementation") and attention_name(model) == "sdpa":
        _register()
        model.set_attn_implementation(ATTENTION)


class FastDropout(nn.Dropout):
    """`nn.Dropout` with cheaper random numbers on CPU."""

    def forward(self, input: Tensor) -> Tensor:
        return dropout(input, self.p) if self.training and self.p > 0 else input


def dropout(x: Tensor, probability: float) -> Tensor:
    """Zero each value with a probability in (0, 1) and scale the others by 1 / (1 - probability)."""
    if x.device.type != "cpu":
        return nn.functional.dropout(x, probability)
    return _Dropout.apply(x, probability)  # type: ignore[no-any-return, no-untyped-call]


def keep_mask(shape: torch.Size, probability: float) -> Tensor:
    """True with probability 1 - `probability`, from torch's default generator of the CPU."""
    words = torch.empty(-(-shape.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    draws = words.view(torch.int16)[: shape.numel()]
    return (draws >= round(probability * _STEPS) - _STEPS // 2).view(shape)


class _Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, probability: float) -> Tensor:
        mask = keep_mask(x.shape, probability)
        ctx.save_for_backward(mask)
        ctx.scale = 1.0 / (1.0 - probability)
        return x.mul(mask).mul_(ctx.scale)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (mask,) = ctx.saved_tensors
        return grads[0].mul(mask).mul_(ctx.scale), None


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention as transformers calls it, heads `(B, H, M, D)`; torch's own without dropout or on a GPU."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    plain = query.device.type == "cpu" and query.shape == key.shape and not getattr(module, "is_causal", False)
    if dropout == 0 or not plain or kwargs.get("position_bias") is not None:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )
    return _dropped_attention(query, key, value, attention_mask, dropout, scaling), None


def _dropped_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, probability: float, scaling: float | None
) -> Tensor:
    scores = query @ key.transpose(-1, -2) * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if mask is not None:
        # not -inf: a padded row may see no key at all, and its NaN would reach the others in the next layer
        lowest = torch.finfo(scores.dtype).min
        scores = scores.masked_fill(~mask, lowest) if mask.dtype == torch.bool else scores + mask
    weights = dropout(scores.softmax(-1, dtype=torch.float32).to(query.dtype), probability)
    return (weights @ value).transpose(1, 2).contiguous()


def _register() -> None:
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(ATTENTION, attention)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)
