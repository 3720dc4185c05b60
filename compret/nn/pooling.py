"""From token states to one vector: pooling, and the dense layers that a sentence-transformers folder may add."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Pooling = Literal["mean", "cls", "lasttoken"]
ACTIVATIONS: dict[str, type[nn.Module]] = {
    f"torch.nn.modules.{file}.{kind.__name__}": kind
    for file, kind in [
        ("linear", nn.Identity),
        *(("activation", kind) for kind in (nn.Tanh, nn.ReLU, nn.GELU, nn.SiLU, nn.Sigmoid)),
    ]
}
"""By the names that a Dense module's config gives; nothing is imported by name."""


class Dense(nn.Module):
    """A linear layer and an activation over pooled vectors: sentence-transformers' module Dense.

    Args:
        inputs, outputs: widths.
        bias: whether the layer has one.
        activation: one of `ACTIVATIONS`.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool, activation: str) -> None:
        super().__init__()
        self.inputs, self.outputs, self.bias = inputs, outputs, bias
        self.linear = nn.Linear(inputs, outputs, bias=bias)
        self.activation, self.activation_name = ACTIVATIONS[activation](), activation

    def forward(self, pooled_BD: Tensor) -> Tensor:
        """`(B, outputs)` float32."""
        return self.activation(self.linear(pooled_BD)).float()  # type: ignore[no-any-return]


def pool(pooling: Pooling, tokens_BMD: Tensor, mask_BM: Tensor) -> Tensor:
    """Mean over a text's own tokens, its first state, or its last, on whichever side padding is.

    The first is that of a right-padded batch, as the tokenizer of this package makes them.

    Args:
        tokens_BMD: `(B, M, D)`.
        mask_BM: 1 for a token of the text; each text has at least one.

    Returns:
        `(B, D)` float32.
    """
    if pooling == "mean":
        mask_BM1 = mask_BM.unsqueeze(-1).to(torch.float32)
        return (tokens_BMD.float() * mask_BM1).sum(1) / mask_BM1.sum(1).clamp(min=1e-9)
    if pooling == "cls":
        return tokens_BMD[:, 0].float()
    places_M = torch.arange(mask_BM.shape[1], device=mask_BM.device)
    last_B = (places_M * (mask_BM > 0)).argmax(1)
    return tokens_BMD[torch.arange(len(last_B), device=last_B.device), last_B].float()
