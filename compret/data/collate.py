"""Rows to a TripletBatch, in the workers: tokenise, group by length, pad, hash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xxhash
from numpy.typing import NDArray

from compret.nn.tokenizer import TextTokenizer
from compret.types import TokenBatch, TripletBatch

Ids = Sequence[Sequence[int]]


def text_key(text: str) -> int:
    """64-bit hash of a text, as int64: equal texts are known by equal keys."""
    return int(np.uint64(xxhash.xxh3_64_intdigest(text.strip().encode("utf-8", "surrogatepass"))).view(np.int64))


@dataclass(frozen=True)
class Collate:
    """Turns rows into token passes of similar length, so that a short query does not pay for a long passage."""

    tokenizer: TextTokenizer
    passes: int = 4
    """Passes of the backbone that a batch is cut into, by length."""
    multiple_of: int = 8
    """Widths are rounded up to it."""

    def __call__(self, rows: Sequence[Mapping[str, str | None]]) -> TripletBatch:
        """Tokenise, cut into passes and hash B rows; rows without a negative simply have none."""
        anchors = [str(row["anchor"]) for row in rows]
        positives = [str(row["positive"]) for row in rows]
        negatives = [text for row in rows if (text := row.get("negative"))]
        ids = [*self.tokenizer(anchors, "query").ids, *self.tokenizer(positives + negatives, "document").ids]
        passes, place = self._passes(ids)
        places = torch.split(place, [len(anchors), len(positives), len(negatives)])
        return TripletBatch(
            passes=passes,
            anchor_rows_B=places[0],
            positive_rows_B=places[1],
            negative_rows_C=places[2],
            anchor_keys_B=_keys(anchors),
            positive_keys_B=_keys(positives),
            negative_keys_C=_keys(negatives),
        )

    def _passes(self, ids: Ids) -> tuple[tuple[TokenBatch, ...], torch.Tensor]:
        """Token passes of rising length, and each text's row in their outputs laid end to end."""
        lengths = np.array([len(text) for text in ids])
        order = np.argsort(lengths, kind="stable")
        ends = cut_points(lengths[order], self.passes)
        groups = np.split(order, ends)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        passes = tuple(self.tokenizer.pad([ids[i] for i in group], self.multiple_of) for group in groups)
        return passes, torch.from_numpy(place)


def cut_points(sorted_lengths_B: NDArray[np.int64], passes: int) -> list[int]:
    """Where to cut texts of rising length into at most `passes` groups so that the fewest padded cells are computed.

    Exact, by dynamic programming over the distinct lengths (Fisher 1958, grouping for maximum homogeneity).
    """
    lengths, counts = np.unique(sorted_lengths_B, return_counts=True)
    below = np.concatenate([[0], np.cumsum(counts)])
    cost = np.concatenate([[0], below[1:] * lengths])
    choices: list[NDArray[np.int64]] = []
    for _ in range(min(passes, len(lengths)) - 1):
        table = cost[:-1, None] + (below[None, 1:] - below[:-1, None]) * lengths[None, :]
        table = np.where(np.tri(len(lengths), dtype=bool).T, table, np.iinfo(np.int64).max)
        choices.append(table.argmin(0))
        cost = np.concatenate([[0], table.min(0)])
    cuts, end = [], len(lengths)
    for choice in reversed(choices):
        end = int(choice[end - 1])
        if end == 0:
            break
        cuts.append(int(below[end]))
    return cuts[::-1]


def _keys(texts: Sequence[str]) -> torch.Tensor:
    return torch.tensor([text_key(text) for text in texts], dtype=torch.long)
