"""Rows to a TripletBatch, in the loader's threads: tokenise, group by length, pad, hash."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import torch
import xxhash
from numpy.typing import NDArray

from compret.nn.tokenizer import TextTokenizer
from compret.types import Kind, TokenBatch, Tokenized, TripletBatch

Ids = Sequence[NDArray[np.int32]]
_NEVER = np.iinfo(np.int64).max // 4


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
    """Widths are rounded up to it, and passes hold a multiple of it of texts where the batch allows."""
    columns: tuple[str, ...] = ()
    """Numbers of a row that the loss needs."""

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> TripletBatch:
        """Tokenise, cut into passes and hash B rows; rows without a negative simply have none.

        Rows without a positive, labelled pairs of label 0, come behind the others. A near-miss pair (`is_pair`) gets
        the query prompt on all its texts, as pairs get in testing; in other rows the anchor is a query, and positive
        and negative are documents.
        """
        rows = sorted(rows, key=lambda row: row.get("positive") is None)
        anchors = [str(row["anchor"]) for row in rows]
        positives = [str(row["positive"]) for row in rows if row.get("positive") is not None]
        with_negative = [i for i, row in enumerate(rows) if row.get("negative")]
        negatives = [str(rows[i]["negative"]) for i in with_negative]
        given: list[Kind] = ["query" if is_pair(row) else "document" for row in rows]
        asked: list[Kind] = ["query"] * len(rows)
        kinds = [*asked, *given[: len(positives)], *(given[i] for i in with_negative)]
        tokenized = self._tokenized([*anchors, *positives, *negatives], kinds)
        passes, place = self._passes(tokenized.ids)
        places = torch.split(place, [len(anchors), len(positives), len(negatives)])
        return TripletBatch(
            passes=passes,
            anchor_rows_B=places[0],
            positive_rows_P=places[1],
            negative_rows_C=places[2],
            negative_anchors=tuple(with_negative),
            places=tuple(place.tolist()),
            truncated=tokenized.truncated,
            anchor_keys_B=_keys(anchors),
            positive_keys_P=_keys(positives),
            negative_keys_C=_keys(negatives),
            queries=tuple(kind == "query" for kind in kinds),
            rows=tuple(row["row"] for row in rows if "row" in row),
            columns={name: _numbers([row.get(name) for row in rows]) for name in self.columns},
        )

    def _tokenized(self, texts: Sequence[str], kinds: Sequence[Kind]) -> Tokenized:
        """Token ids of texts, each with the prompt of its kind, in their order."""
        ids: dict[int, NDArray[np.int32]] = {}
        truncated = 0
        for kind in get_args(Kind):
            places = [place for place, other in enumerate(kinds) if other == kind]
            found = self.tokenizer([texts[place] for place in places], kind)
            ids |= zip(places, found.ids, strict=True)
            truncated += found.truncated
        return Tokenized([ids[place] for place in range(len(texts))], truncated)

    def _passes(self, ids: Ids) -> tuple[tuple[TokenBatch, ...], torch.Tensor]:
        """Token passes of rising length, and each text's row in their outputs laid end to end."""
        lengths = np.array([len(text) for text in ids])
        order = np.argsort(lengths, kind="stable")
        widths = -(-lengths[order] // self.multiple_of) * self.multiple_of
        groups = np.split(order, cut_points(widths, self.passes, self.multiple_of))
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        passes = tuple(self.tokenizer.pad([ids[i] for i in group], self.multiple_of) for group in groups)
        return passes, torch.from_numpy(place)


def is_pair(row: Mapping[str, Any]) -> bool:
    """Whether a row is a near-miss pair, no question with its passages: it has a category, or is an identity row."""
    return bool(row.get("category")) or row["anchor"] == row.get("positive")


def cut_points(rising_lengths_B: NDArray[np.int64], passes: int, block: int = 1) -> list[int]:
    """Where to cut texts of rising length into at most `passes` groups so that the fewest padded cells are computed.

    Exact, by dynamic programming over the places where a cut may be (Fisher 1958, grouping for maximum homogeneity).

    Args:
        block: cuts fall on multiples of it, so that passes come in few shapes, whose kernels are then ready.
    """
    ends = np.append(np.arange(block, len(rising_lengths_B), block), len(rising_lengths_B))
    begins = np.insert(ends[:-1], 0, 0)
    cells = (ends[None, :] - begins[:, None]) * rising_lengths_B[ends - 1][None, :]
    cells = np.where(np.tri(len(ends), dtype=bool).T, cells, _NEVER)
    cost, choices = cells[0], []
    for _ in range(min(passes, len(ends)) - 1):
        table = np.insert(cost[:-1], 0, 0)[:, None] + cells
        choices.append(table.argmin(0))
        cost = table.min(0)
    cuts, group = [], len(ends) - 1
    for choice in reversed(choices):
        group = int(choice[group]) - 1
        if group < 0:
            break
        cuts.append(int(ends[group]))
    return cuts[::-1]


def _keys(texts: Sequence[str]) -> torch.Tensor:
    return torch.tensor([text_key(text) for text in texts], dtype=torch.long)


def _numbers(values: Sequence[float | None]) -> torch.Tensor:
    return torch.tensor([math.nan if value is None else value for value in values], dtype=torch.float32)
