"""The few frozen dataclasses that cross rooms, with their shapes, and the one exception that a user sees.

B texts, C candidates, M tokens, D width. Nothing here computes, and nothing here imports torch at run time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, device

    TokenIds: TypeAlias = NDArray[np.int32]

Kind = Literal["query", "document"]
Row: TypeAlias = tuple[int, int]
"""(source, row of the source)."""


class UserError(Exception):
    """A mistake that the user can mend: one line that names the file, row or option and what to do (exit code 2)."""


@dataclass(frozen=True)
class Tokenized:
    """Token ids of texts, not padded: what a tokeniser gives for B texts."""

    ids: Sequence[TokenIds]
    """int32 token ids of each text, special tokens included."""
    truncated: int
    """Texts that were longer than the limit and lost their end."""


@dataclass  # not frozen, as no batch is: Lightning walks through batches in some precisions, and sets their fields
class TokenBatch:
    """Padded token ids, ready for one pass of the backbone."""

    ids_BM: Tensor
    """int64, `(B, M)`."""
    mask_BM: Tensor
    """int64, `(B, M)`: 1 for a token of the text, 0 for padding."""
    lengths: tuple[int, ...]
    """Tokens of each text, on the host, so that code that cuts by length need not read the mask back."""

    def to(self, device: device | str, non_blocking: bool = False) -> TokenBatch:
        ids_BM, mask_BM = (x.to(device, non_blocking=non_blocking) for x in (self.ids_BM, self.mask_BM))
        return TokenBatch(ids_BM, mask_BM, self.lengths)

    def pin_memory(self) -> TokenBatch:
        return TokenBatch(self.ids_BM.pin_memory(), self.mask_BM.pin_memory(), self.lengths)


@dataclass(frozen=True)
class Encoded:
    """One pass of the encoder: token states and the pooled vector of each text."""

    tokens_BMD: Tensor
    mask_BM: Tensor
    pooled_BD: Tensor
    """float32, `(B, D)`, not normalised."""


@dataclass
class TripletBatch:
    """B anchors, B positives and C explicit negatives, as token passes grouped by length.

    The passes hold all texts; `*_rows` say where each role's texts stand in the passes' outputs laid end to end.
    `*_keys` are 64-bit hashes of the texts, by which equal candidates are known without comparing text.
    """

    passes: tuple[TokenBatch, ...]
    anchor_rows_B: Tensor
    positive_rows_B: Tensor
    negative_rows_C: Tensor
    negative_anchors: tuple[int, ...]
    """The anchor that each of the C negatives was given for; on the host, as `places`."""
    places: tuple[int, ...]
    """The rows of all anchors, positives and negatives once more."""
    truncated: int
    """Texts that lost their end to the length limit."""
    anchor_keys_B: Tensor
    positive_keys_B: Tensor
    negative_keys_C: Tensor
    rows: tuple[Row, ...] = ()
    """Where each of the B rows stands in the sources; empty for rows that come from none."""

    def __len__(self) -> int:
        return len(self.anchor_rows_B)

    @property
    def tokens(self) -> int:
        """Cells that the backbone computes, padding included."""
        return sum(p.ids_BM.numel() for p in self.passes)

    @property
    def lengths(self) -> tuple[int, ...]:
        """Tokens of each text without padding, in the order of the passes; on the host."""
        return tuple(length for p in self.passes for length in p.lengths)

    def to(self, device: device | str, non_blocking: bool = False) -> TripletBatch:
        moved = {k: v.to(device, non_blocking=non_blocking) for k, v in self._tensors().items()}
        return replace(self, passes=tuple(p.to(device, non_blocking) for p in self.passes), **moved)

    def pin_memory(self) -> TripletBatch:
        pinned = {k: v.pin_memory() for k, v in self._tensors().items()}
        return replace(self, passes=tuple(p.pin_memory() for p in self.passes), **pinned)

    def _tensors(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if not isinstance(v, tuple | int)}


@dataclass(frozen=True)
class PairScores:
    """A verifier's scores of a batch of B anchors, their positives and C explicit negatives."""

    positives_B: Tensor
    """Each anchor with its own positive."""
    negatives_C: Tensor
    """Each negative with the anchor that it was given for."""
    anchors_C: Tensor
    """int64: that anchor's row."""
    every_BC: Tensor | None
    """Each anchor with the positives of all ranks and, where the loss wants them, then all negatives; or with some."""
    rows_B: Tensor
    """int64: where each anchor's positive stands among those."""
    duplicates_BC: Tensor
    """bool: True where such a candidate is the same text as the anchor or its positive."""
    negatives_a_rank: float
    """Mean of C over ranks: sums over C are divided by it, so that the mean over ranks is that over all negatives."""


Content = TypeVar("Content")


class Whole(Generic[Content]):
    """A whole dataset as one batch of Lightning's: no collection that it would walk through, to move or convert it."""

    def __init__(self, content: Content) -> None:
        self.content = content


@dataclass(frozen=True)
class TextFile:
    """Texts to embed, in the order of the file, and where their vectors go."""

    path: str
    texts: Sequence[str]
    kind: Kind
    output: str
