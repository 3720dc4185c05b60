"""Token states for frozen training: each text encoded once, kept in half precision in a memory-mapped file."""

from __future__ import annotations

import logging
import tempfile

import numpy as np
import torch
from torch import Tensor

from compret.evaluation.encode import evaluating
from compret.nn.encoder import TextEncoder
from compret.nn.pairs import TokenStates, token_states
from compret.types import TokenBatch, TripletBatch

log = logging.getLogger(__name__)


class StateCache:
    """States of the texts seen so far, by the hash of their text; the file vanishes with the process.

    Args:
        width: of a state.
        budget: bytes that the file may take; texts that no longer fit are encoded each time, which is told once.
    """

    def __init__(self, width: int, budget: int) -> None:
        self.width, self.rows = width, budget // (2 * width)
        self.used = 0
        self.places: dict[tuple[int, bool], tuple[int, int]] = {}
        """(text, is a query) -> first row and tokens; the row after the tokens holds the pooled vector."""
        self.store: Tensor | None = None
        self.encoded = 0
        """Texts that went through the encoder."""

    def states(self, encoder: TextEncoder, batch: TripletBatch, special_tokens: bool) -> TokenStates:
        """States of all texts of a batch: anchors, positives, negatives; the encoder sees only the unknown ones."""
        keys = torch.cat([batch.anchor_keys_B, batch.positive_keys_B, batch.negative_keys_C]).tolist()
        wanted = [(key, place < len(batch)) for place, key in enumerate(keys)]
        fresh = self._encode(encoder, batch, wanted, special_tokens)
        parts = [fresh[key] if key in fresh else self._read(key) for key in wanted]
        states = torch.cat([part[:-1] for part in parts]).float().to(encoder.device)
        pooled = torch.stack([part[-1] for part in parts]).float().to(encoder.device)
        return TokenStates(states, tuple(len(part) - 1 for part in parts), pooled)

    def _encode(
        self, encoder: TextEncoder, batch: TripletBatch, wanted: list[tuple[int, bool]], special_tokens: bool
    ) -> dict[tuple[int, bool], Tensor]:
        """Encode the texts that are not kept, keep them if they fit, and give them."""
        ends = np.cumsum([len(tokens.lengths) for tokens in batch.passes])
        missing: dict[int, dict[int, tuple[int, bool]]] = {}
        for place, key in zip(batch.places, wanted, strict=True):
            if key not in self.places:
                number = int(np.searchsorted(ends, place, side="right"))
                missing.setdefault(number, {})[place - int(ends[number]) + len(batch.passes[number].lengths)] = key
        fresh: dict[tuple[int, bool], Tensor] = {}
        with evaluating(encoder), torch.no_grad():
            for number, rows in missing.items():
                tokens = _rows(batch.passes[number], list(rows))
                spans = [(0, n) if special_tokens else encoder.tokenizer.inner(n) for n in tokens.lengths]
                states = token_states(encoder(tokens), spans)
                self.encoded += len(rows)
                for key, part, pooled in zip(
                    rows.values(), states.unit_TD.split(list(states.lengths)), states.pooled_BD, strict=True
                ):
                    fresh[key] = torch.cat([part, pooled.unsqueeze(0)]).half().cpu()
                    self._keep(key, fresh[key])
        return fresh

    def _keep(self, key: tuple[int, bool], states: Tensor) -> None:
        if key in self.places:
            return
        if self.used + len(states) > self.rows:
            if self.rows:
                log.warning("disk_budget: %d texts are kept, the others are encoded each time", len(self.places))
            self.rows = 0
            return
        if self.store is None:
            with tempfile.NamedTemporaryFile(prefix="compret-states-") as file:
                shape = (self.rows, self.width)
                self.store = torch.from_numpy(np.memmap(file, dtype=np.float16, mode="w+", shape=shape))
        self.store[self.used : self.used + len(states)] = states
        self.places[key] = (self.used, len(states))
        self.used += len(states)

    def _read(self, key: tuple[int, bool]) -> Tensor:
        assert self.store is not None
        start, rows = self.places[key]
        return self.store[start : start + rows]


def _rows(tokens: TokenBatch, rows: list[int]) -> TokenBatch:
    lengths = tuple(tokens.lengths[row] for row in rows)
    width = max(lengths)
    index = torch.tensor(rows, device=tokens.ids_BM.device)
    return TokenBatch(tokens.ids_BM[index, :width], tokens.mask_BM[index, :width], lengths)
