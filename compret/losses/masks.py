"""Which candidates are no negatives of an anchor, since they are a text of its own row."""

from __future__ import annotations

from torch import Tensor


def own_texts(anchor_keys_B: Tensor, positive_keys_B: Tensor, keys_BC: Tensor) -> Tensor:
    """True where a candidate is the same text as the row's anchor or its positive, bool `(B, C)`.

    A pair and its mirror image in one batch would else make an anchor its own negative.

    Args:
        anchor_keys_B, positive_keys_B: int64 hashes of the rows' texts.
        keys_BC: hashes of the candidates, `(B, C)`, or `(C,)` if all rows have the same.
    """
    is_anchor_BC = anchor_keys_B.unsqueeze(1) == keys_BC
    return is_anchor_BC | (positive_keys_B.unsqueeze(1) == keys_BC)
