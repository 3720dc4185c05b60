"""Token states of texts, each text once, in half precision; on disk where they would not fit a budget of memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from compret.distributed import gather_shards, shard
from compret.evaluation.encode import Places, Vectors, check_scores, encoded_rounds
from compret.evaluation.vectors import MEMORY, VectorStore, half_on_disk
from compret.nn.encoder import TextEncoder
from compret.nn.pair_scoring import TokenStates, joined, token_states
from compret.types import Kind


@dataclass(frozen=True)
class TokenIndex:
    """Token states and unit pooled vectors of N texts; equal texts share theirs."""

    states: TokenStates
    """Of the different texts."""
    vectors: Vectors

    @property
    def rows_N(self) -> Places:
        """Where each text's states stand."""
        return self.vectors.rows_N

    @property
    def unit_ND(self) -> Tensor:
        """Unit pooled vectors of all texts, float32, in memory."""
        return self.vectors.unit_ND

    def __getitem__(self, texts: Sequence[int]) -> TokenStates:
        return self.states[self.rows_N[list(texts)].tolist()]


def encode_tokens(
    encoder: TextEncoder,
    texts: Sequence[str],
    kind: Kind,
    special_tokens: bool = True,
    progress: str = "",
    memory: int = MEMORY,
) -> TokenIndex:
    """Token states and pooled vectors of N texts in one pass over each different text, on one rank alone.

    Args:
        special_tokens: keep the states of [CLS], [SEP] and the like.
        progress: name of the progress bar; none is shown if empty.
        memory: bytes of states above which they go to a memory-mapped temporary file; and likewise of vectors.

    Raises:
        UserError: the temporary folder has no room for such a file, or the encoder gives states that are not finite.
    """
    unique = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    tokenized = encoder.tokenizer(list(unique), kind)
    kept = [encoder.tokenizer.inner(len(ids)) if not special_tokens else (0, len(ids)) for ids in tokenized.ids]
    lengths = np.array([end - start for start, end in kept], dtype=np.int64)
    starts = np.append(0, np.cumsum(lengths))
    store = _store(int(starts[-1]), encoder.width, memory)
    pooled = VectorStore(len(unique), encoder.pooled_width, encoder.device, memory)
    none_TD, none_BD = (
        torch.empty((0, width), device=encoder.device) for width in (encoder.width, encoder.pooled_width)
    )
    for places, encoded in encoded_rounds(encoder, tokenized, progress):
        mine = [token_states(e, [kept[i] for i in rows]) for e, rows in zip(encoded, shard(places), strict=True)]
        states = joined([TokenStates(none_TD, (), none_BD), *mine])
        tokens = [np.concatenate([np.arange(starts[i], starts[i + 1]) for i in rows]) for rows in places]
        where, rows_TD = gather_shards(states.unit_TD.half(), tokens)
        store[torch.from_numpy(where)] = rows_TD.cpu()
        check_scores(rows_TD, encoder, progress)
        where, rows_BD = gather_shards(states.pooled_BD, places)
        check_scores(rows_BD, encoder, progress)
        pooled[where] = rows_BD
    rows_N = np.array([unique[text] for text in texts], dtype=np.int64)
    vectors = Vectors(pooled, rows_N, tokenized.truncated, sum(not text.strip() for text in texts))
    return TokenIndex(TokenStates(store, tuple(lengths.tolist()), pooled.tensor()), vectors)


def _store(tokens: int, width: int, memory: int) -> Tensor:
    """Room for `(T, D)` half-precision states; a file that vanishes with the process where memory is too small."""
    if tokens * width * 2 <= memory or tokens == 0:
        return torch.empty((tokens, width), dtype=torch.float16)
    return half_on_disk(tokens, width)
