"""Private names of torch and transformers that compret cannot do without, each in one function; a test calls each."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def all_gather_with_gradient(rows_BX: Tensor) -> Tensor:
    """All ranks' rows of equal number, in the order of ranks; the gradient of a rank's is the sum of all ranks'.

    What `torch.distributed.nn.functional.all_gather` has pointed to since it was deprecated in torch 2.13.
    """
    from torch.distributed import _functional_collectives as collectives
    from torch.distributed import group

    since_213 = getattr(collectives, "all_gather_single_autograd", None)
    gather: Any = since_213 or collectives.all_gather_tensor_autograd
    return gather(rows_BX.contiguous(), 0, group.WORLD)  # type: ignore[no-any-return]


def has_onednn_linear() -> bool:
    """Whether this build of torch has `onednn_linear`."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def onednn_linear(x: Tensor, weight: Tensor, bias: Tensor | None, then: str = "none") -> Tensor:
    """x Wᵀ + b through oneDNN, float32 on a CPU, without a gradient.

    Args:
        then: none or gelu (the exact one), in the same kernel.
    """
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, then, [], "none")  # type: ignore[no-any-return]


def attention_name(model: Any) -> str | None:
    """The attention that a transformers model computes with, such as sdpa."""
    return getattr(model.config, "_attn_implementation", None)
