"""Token states for frozen training: each text encoded once, kept in half precision in memory-mapped files."""

from __future__ import annotations

import logging

import numpy as np
import torch
from torch import Tensor

from compret.evaluation.encode import evaluating
from compret.evaluation.vectors import half_on_disk
from compret.nn.encoder import TextEncoder
from compret.nn.pair_scoring import TokenStates, token_states
from compret.types import TokenBatch, TripletBatch, UserError

log = logging.getLogger(__name__)
_STORE = 1 << 26
"""Bytes that the disk sets aside at a time."""


class StateCache:
    """States of the texts seen so far, by the hash of their text; the files vanish with the process.

    Args:
        width: of a state.
        budget: bytes that the files may take; texts that no longer fit, there or on the disk, are encoded each time,
            which is told once.
    """

    def __init__(self, width: int, budget: int) -> None:
        self.width, self.left = width, budget // (2 * width)
        """Of a row; rows that no file has been made for yet."""
        self.stores: list[Tensor] = []
        self.used, self.is_full = 0, False
        """Rows of the last store; nothing more fits."""
        self.places: dict[tuple[int, bool], tuple[int, int, int]] = {}
        """(text, is a query) -> store, first row and rows: one a token, the last is the pooled vector."""
        self.encoded = 0
        """Texts that went through the encoder."""

    def states(self, encoder: TextEncoder, batch: TripletBatch, special_tokens: bool) -> TokenStates:
        """States of all texts of a batch: anchors, positives, negatives; the encoder sees only the unknown ones."""
        keys = torch.cat([batch.anchor_keys_B, batch.positive_keys_P, batch.negative_keys_C]).tolist()
        wanted = list(zip(keys, batch.queries, strict=True))
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
        if key in self.places or not self._has_room(len(states)):
            return
        self.places[key] = (len(self.stores) - 1, self.used, len(states))
        self.used += len(states)
        self._read(key).copy_(states)

    def _has_room(self, rows: int) -> bool:
        """Whether the last store has room for so many rows; a new one is made if it has not."""
        if self.stores and self.used + rows <= len(self.stores[-1]):
            return True
        size = min(max(1, _STORE // (2 * self.width)), self.left)
        try:
            if size >= rows:
                self.stores.append(half_on_disk(size, self.width))
                self.left, self.used = self.left - size, 0
                return True
            reason = "model.disk_budget is used up"
        except UserError as error:
            reason = str(error)
        if not self.is_full:
            log.warning("%d texts are kept and the others encoded each time: %s", len(self.places), reason)
        self.is_full, self.left = True, 0
        return False

    def _read(self, key: tuple[int, bool]) -> Tensor:
        store, start, rows = self.places[key]
        return self.stores[store][start : start + rows]


def _rows(tokens: TokenBatch, rows: list[int]) -> TokenBatch:
    lengths = tuple(tokens.lengths[row] for row in rows)
    width = max(lengths)
    index = torch.tensor(rows, device=tokens.ids_BM.device)
    return TokenBatch(tokens.ids_BM[index, :width], tokens.mask_BM[index, :width], lengths)
