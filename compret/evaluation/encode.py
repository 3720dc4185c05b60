"""Texts to vectors, each text once: sorted by length, cut by a token budget, sharded over ranks, gathered in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

from compret.distributed import gather_rows, rank, shard
from compret.nn.encoder import TextEncoder
from compret.types import Kind, Tokenized

CPU_TOKENS_A_PASS = 2048
"""Token cells of one pass on a CPU: their hidden states stay in its caches."""
TOKENS_A_PASS = 1 << 16
"""Token cells of one pass elsewhere: enough work to fill a GPU."""


@dataclass(frozen=True)
class Vectors:
    """Unit vectors of N texts, and what was done to the texts on the way."""

    unit_ND: Tensor
    """float32, `(N, D)`, on the encoder's device, norm 1."""
    truncated: int
    """Different texts that lost their end to the length limit."""
    empty: int
    """Texts without a character; they are encoded like any other."""


def encode(encoder: TextEncoder, texts: Sequence[str], kind: Kind, progress: str = "") -> Vectors:
    """Pooled vectors of N texts, normalised, in their order; equal texts are encoded once.

    Args:
        progress: name of the progress bar; none is shown if empty.
    """
    unique = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    rows_N = torch.tensor([unique[text] for text in texts], dtype=torch.long)
    tokenized = encoder.tokenizer(list(unique), kind)
    with evaluating(encoder):
        unit_UD = torch.nn.functional.normalize(_encode_unique(encoder, tokenized, progress), dim=-1)
    empty = sum(not text.strip() for text in texts)
    return Vectors(unit_UD[rows_N.to(unit_UD.device)], tokenized.truncated, empty)


@torch.inference_mode()
def _encode_unique(encoder: TextEncoder, tokenized: Tokenized, progress: str) -> Tensor:
    """This rank's share in passes, then all ranks' shares in the order of the texts, `(U, D)` float32."""
    lengths = np.array([len(text) for text in tokenized.ids], dtype=np.int64)
    order = np.argsort(-lengths, kind="stable")
    mine = order[shard(len(order))]
    pooled = torch.empty((len(mine), encoder.width), dtype=torch.float32, device=encoder.device)
    bar = tqdm(total=int(lengths[mine].sum()), desc=progress, unit="tok", unit_scale=True, leave=False)
    bar.disable = bar.disable or not progress or rank() > 0
    for rows in budgeted(lengths[mine], tokens_a_pass(encoder)):
        batch = encoder.tokenizer.pad([tokenized.ids[i] for i in mine[rows]])
        pooled[rows] = encoder(batch.to(encoder.device)).pooled_BD
        bar.update(int(lengths[mine[rows]].sum()))
    bar.close()
    gathered = gather_rows(pooled)
    places = gather_rows(torch.from_numpy(mine).to(encoder.device))
    return torch.empty_like(gathered).index_copy_(0, places, gathered)


@contextmanager
def evaluating(encoder: TextEncoder) -> Iterator[None]:
    """Dropout off, whatever mode the caller left the encoder in."""
    training = encoder.training
    encoder.eval()
    try:
        yield
    finally:
        encoder.train(training)


def tokens_a_pass(encoder: TextEncoder) -> int:
    return CPU_TOKENS_A_PASS if encoder.device.type == "cpu" else TOKENS_A_PASS


def budgeted(falling_lengths_B: NDArray[np.int64], budget: int) -> list[slice]:
    """Consecutive slices of texts of falling length, each at most `budget` padded tokens (or one text)."""
    slices, start = [], 0
    while start < len(falling_lengths_B):
        size = max(1, budget // max(1, int(falling_lengths_B[start])))
        slices.append(slice(start, min(start + size, len(falling_lengths_B))))
        start += size
    return slices
