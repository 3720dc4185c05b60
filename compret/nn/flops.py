"""How many floating-point operations training a transformer takes, counted from its size."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True)
class Size:
    """What a transformer's cost follows from; embeddings are looked up and cost nothing."""

    weights: int
    """Numbers in the weight matrices that each token is multiplied with."""
    trained: int
    """Those of them that get a gradient."""
    layers: int
    width: int
    """Of all heads of a layer together."""

    def training_flops(self, lengths: Iterable[int]) -> int:
        """Floating-point operations of a forward and a backward pass over texts of so many tokens, without padding.

        A token costs 2 N forward, 2 N for the gradient of its state and 2 N for that of the weights, and attention over
        its text of T tokens 12 L H Q T: 6 N + 12 L H Q T in all (Chowdhery et al. 2022, arXiv 2204.02311, appendix B;
        Kaplan et al. 2020, arXiv 2001.08361, section 2.1). Here the third 2 N counts only the weights that are trained.
        Every layer is taken to attend to the whole text and to pass a gradient on; what gradient checkpointing computes
        twice counts once.
        """
        lengths = list(lengths)
        per_token = 4 * self.weights + 2 * self.trained
        return per_token * sum(lengths) + 12 * self.layers * self.width * sum(n * n for n in lengths)


def transformer_size(model: Any) -> Size:
    """The size of a Hugging Face transformer; its own pooler, which sees one token a text, is left out."""
    looked_up = {id(p) for module in model.modules() if isinstance(module, nn.Embedding) for p in module.parameters()}
    matrices = [
        p
        for name, p in model.named_parameters()
        if p.ndim > 1 and id(p) not in looked_up and "pooler" not in name.split(".")
    ]
    return Size(
        weights=sum(p.numel() for p in matrices),
        trained=sum(p.numel() for p in matrices if p.requires_grad),
        layers=int(model.config.num_hidden_layers),
        width=int(model.config.hidden_size),
    )
