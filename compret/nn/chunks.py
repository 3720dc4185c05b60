"""Large batches in the memory of a chunk: texts are encoded chunk by chunk, and once more in the backward pass.

The gradients are those of GradCache (Gao et al. 2021, arXiv 2101.06983): exact, for one more forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch.utils.checkpoint import checkpoint

from compret.types import TokenBatch, UserError

T = TypeVar("T")


def encode_each(
    encode: Callable[[TokenBatch], T], passes: Sequence[TokenBatch], chunk_size: int | None = None
) -> list[T]:
    """What `encode` makes of each pass; their texts laid end to end are those of the batch.

    Args:
        chunk_size: texts whose activations are held at a time; those of all texts if None.
    """
    if chunk_size is None or not torch.is_grad_enabled():
        return [encode(tokens) for tokens in passes]
    return [checkpoint(encode, tokens, use_reentrant=False) for tokens in passes]


def in_chunks(passes: Sequence[TokenBatch], chunk_size: int | None, multiple_of: int = 8) -> list[TokenBatch]:
    """The passes cut into chunks of at most `chunk_size` texts, each as wide as its longest text, rounded up."""
    if chunk_size is None:
        return list(passes)
    cuts = [(tokens, start) for tokens in passes for start in range(0, len(tokens.lengths), chunk_size)]
    return [_chunk(tokens, slice(start, start + chunk_size), multiple_of) for tokens, start in cuts]


def with_idle(passes: Sequence[TokenBatch], calls: int) -> list[TokenBatch]:
    """The passes, and a text of theirs once more for each call that a sharded encoder is owed; nothing reads it."""
    return [*passes, *[_chunk(passes[0], slice(0, 1), 1)] * calls]


def checked_size(chunk_size: int | None) -> int | None:
    """The same size; an error for less than one text."""
    if chunk_size is not None and chunk_size < 1:
        raise UserError(f"model.chunk_size {chunk_size}: at least 1 text")
    return chunk_size


def _chunk(tokens: TokenBatch, rows: slice, multiple_of: int) -> TokenBatch:
    lengths = tokens.lengths[rows]
    width = -(-max(lengths) // multiple_of) * multiple_of
    return TokenBatch(tokens.ids_BM[rows, :width], tokens.mask_BM[rows, :width], lengths)
