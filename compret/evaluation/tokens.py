"""Token states of texts, each text once, in half precision; on disk where they would not fit a budget of memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from compret.distributed import dealt, gather_dealt
from compret.evaluation.encode import encoded_rounds
from compret.evaluation.store import MEMORY, temporary_file
from compret.nn.encoder import TextEncoder
from compret.nn.pairs import TokenStates, joined, token_states
from compret.types import Kind


@dataclass(frozen=True)
class TokenIndex:
    """Token states of N texts; equal texts share theirs."""

    states: TokenStates
    """Of the different texts."""
    rows_N: tuple[int, ...]
    """Where each text's states stand."""
    truncated: int
    empty: int

    @property
    def unit_ND(self) -> Tensor:
        """Unit pooled vectors, float32."""
        return self.states.pooled_BD[torch.tensor(self.rows_N, device=self.states.pooled_BD.device)].float()

    def __getitem__(self, texts: Sequence[int]) -> TokenStates:
        return self.states[[self.rows_N[i] for i in texts]]


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
        memory: bytes of states above which they go to a memory-mapped temporary file.

    Raises:
        UserError: the temporary folder has no room for that file.
    """
    unique = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    tokenized = encoder.tokenizer(list(unique), kind)
    kept = [encoder.tokenizer.inner(len(ids)) if not special_tokens else (0, len(ids)) for ids in tokenized.ids]
    lengths = np.array([end - start for start, end in kept], dtype=np.int64)
    starts = np.append(0, np.cumsum(lengths))
    store = _store(int(starts[-1]), encoder.width, memory)
    pooled = torch.empty((len(unique), encoder.width), device=encoder.device)
    for places, encoded in encoded_rounds(encoder, tokenized, progress):
        mine = [token_states(e, [kept[i] for i in rows]) for e, rows in zip(encoded, dealt(places), strict=True)]
        states = joined([_none(pooled), *mine])
        tokens = [np.concatenate([np.arange(starts[i], starts[i + 1]) for i in rows]) for rows in places]
        where, rows_TD = gather_dealt(states.unit_TD.half(), tokens)
        store[torch.from_numpy(where)] = rows_TD.cpu()
        where, rows_BD = gather_dealt(states.pooled_BD, places)
        pooled[torch.from_numpy(where).to(pooled.device)] = rows_BD
    rows_N = tuple(unique[text] for text in texts)
    empty = sum(not text.strip() for text in texts)
    return TokenIndex(TokenStates(store, tuple(lengths.tolist()), pooled), rows_N, tokenized.truncated, empty)


def _none(pooled: Tensor) -> TokenStates:
    """The states of no text."""
    return TokenStates(pooled[:0], (), pooled[:0])


def _store(tokens: int, width: int, memory: int) -> Tensor:
    """Room for `(T, D)` half-precision states; a file that vanishes with the process where memory is too small."""
    if tokens * width * 2 <= memory or tokens == 0:
        return torch.empty((tokens, width), dtype=torch.float16)
    with temporary_file(tokens * width * 2) as file:
        return torch.from_numpy(np.memmap(file, dtype=np.float16, mode="r+", shape=(tokens, width)))
