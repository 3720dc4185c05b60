"""One probability for every dropout of a backbone."""

from __future__ import annotations

from torch import nn


def use_fast_dropout(model: nn.Module, probability: float | None) -> None:
    """Set each dropout of a model, hidden and attention, to `probability`; None leaves them as they are."""
    if probability is None:
        return
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = probability
        for name in ("attention_dropout", "dropout_prob"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, probability)
