"""One probability for every dropout of a transformers model."""

from __future__ import annotations

from typing import Any

from torch import nn


def set_dropout(model: Any, probability: float) -> None:
    """Set every dropout of a transformers model, hidden and attention, to a probability in [0, 1); 0 turns it off."""
    for name, module in list(model.named_modules()):
        # ModernBERT puts an Identity where its configuration has no dropout
        absent = type(module) is nn.Identity and name.endswith(".out_drop") and probability > 0
        if isinstance(module, nn.Dropout) or absent:
            model.set_submodule(name, nn.Dropout(probability))
        for attribute in ("attention_dropout", "dropout_prob"):
            if isinstance(getattr(module, attribute, None), float):
                setattr(module, attribute, probability)
