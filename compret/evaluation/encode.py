"""Texts to vectors, each text once: sorted by length, cut by a token budget, sharded over ranks, gathered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm.auto import tqdm

from compret.distributed import gather_shards, missing_calls, rank, shard, world_size
from compret.evaluation.vectors import MEMORY, VectorStore
from compret.nn.encoder import TextEncoder
from compret.nn.passes import passes_of, tokens_a_pass
from compret.types import Encoded, Kind, Tokenized, UserError

_PASSES_A_ROUND = 4
"""Passes of each rank between two exchanges with the others."""
Places: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Vectors:
    """Unit vectors of N texts, and what was done to the texts on the way; equal texts share theirs."""

    store: VectorStore
    """Of the different texts."""
    rows_N: Places
    """Where each text's vector stands."""
    truncated: int
    """Different texts that lost their end to the length limit."""
    empty: int
    """Texts without a character; they are encoded like any other."""

    def __len__(self) -> int:
        return len(self.rows_N)

    def __getitem__(self, texts: Places) -> Tensor:
        """float32, `(B, D)`, on the encoder's device, norm 1."""
        return self.store[self.rows_N[texts]]

    @property
    def unit_ND(self) -> Tensor:
        """Those of all texts, in memory."""
        return self.store[self.rows_N]


def encode(encoder: TextEncoder, texts: Sequence[str], kind: Kind, progress: str = "", memory: int = MEMORY) -> Vectors:
    """Pooled vectors of N texts, normalised, in their order; equal texts are encoded once, and on one rank alone.

    Args:
        progress: name of the progress bar; none is shown if empty.
        memory: bytes of vectors above which they go to a temporary file.

    Raises:
        UserError: the encoder gives vectors that are not finite.
    """
    unique = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    rows_N = np.array([unique[text] for text in texts], dtype=np.int64)
    tokenized = encoder.tokenizer(list(unique), kind)
    store = VectorStore(len(unique), encoder.pooled_width, encoder.device, memory)
    for places, encoded in encoded_rounds(encoder, tokenized, progress):
        none_BD = torch.empty((0, encoder.pooled_width), dtype=torch.float32, device=encoder.device)
        pooled = [none_BD, *(e.pooled_BD for e in encoded)]
        where, rows_BD = gather_shards(torch.cat(pooled), places)
        check_scores(rows_BD, encoder, progress)
        store[where] = torch.nn.functional.normalize(rows_BD, dim=-1)
    return Vectors(store, rows_N, tokenized.truncated, sum(not text.strip() for text in texts))


def encoded_rounds(
    encoder: TextEncoder, tokenized: Tokenized, progress: str = ""
) -> Iterator[tuple[list[Places], list[Encoded]]]:
    """The texts of some passes, and what this rank's share of those passes gives; in rounds, the same on all ranks.

    A pass holds the same texts whatever the number of ranks, so that its numbers are the same to the last bit.
    """
    lengths = np.array([len(text) for text in tokenized.ids], dtype=np.int64)
    passes = passes_of(lengths, tokens_a_pass(encoder.device))
    bar = progress_bar(int(lengths.sum()), progress, "tok")
    for start in range(0, len(passes), _PASSES_A_ROUND * world_size()):
        places = passes[start : start + _PASSES_A_ROUND * world_size()]
        share = shard(places)
        idle = [places[0][-1:]] * missing_calls(encoder, len(share))
        padded = (encoder.tokenizer.pad([tokenized.ids[i] for i in rows]) for rows in (*share, *idle))
        with evaluating(encoder), torch.inference_mode():
            encoded = [encoder(batch.to(encoder.device)) for batch in padded][: len(share)]
        yield places, encoded
        bar.update(sum(int(lengths[rows].sum()) for rows in places))
    bar.close()


def check_scores(found: Tensor, encoder: TextEncoder, what: str) -> None:
    """Refuse vectors or scores that are not finite, which would rank and count like any others.

    Args:
        found: the same on all ranks, so that all stop.
        what: was encoded or scored.

    Raises:
        UserError: a number is NaN or infinite.
    """
    if not bool(torch.isfinite(found).all()):
        raise UserError(
            f"{what or 'texts'}: {encoder.name} gives numbers that are not finite; its weights are broken, or "
            "overflow in this --trainer.precision"
        )


def progress_bar(total: int, name: str, unit: str) -> Any:
    """A bar on the first rank's terminal; none in a log file, and none without a name."""
    hidden = True if not name or rank() > 0 else None  # None: where there is no terminal
    return tqdm(total=total, desc=name, unit=unit, unit_scale=unit == "tok", leave=False, disable=hidden)


@contextmanager
def evaluating(encoder: torch.nn.Module) -> Iterator[None]:
    """Dropout off, whatever mode the caller left a module in."""
    training = encoder.training
    encoder.eval()
    try:
        yield
    finally:
        encoder.train(training)
