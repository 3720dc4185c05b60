"""The few frozen dataclasses that cross rooms, with their shapes, and the one exception that a user sees.

B texts, C candidates, M tokens, D width. Nothing here computes, and nothing here imports torch at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, device

    TokenIds: TypeAlias = NDArray[np.int32]

Kind = Literal["query", "document"]
Row: TypeAlias = tuple[int, int]
"""(source, row of the source)."""


def printable(text: str) -> str:
    """A foreign text as a line: what would end it, steer a terminal or is half a letter is written as an escape."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


_LONGEST_LINE = 2000
"""Characters of an error, in which the longest paths and lists of names have room."""


class UserError(Exception):
    """A mistake that the user can mend: one line that names the file, row or option and what to do (exit code 2)."""

    def __str__(self) -> str:
        """One line of moderate length, whatever the values have in it that a foreign file gives."""
        said = printable(super().__str__())
        return said if len(said) <= _LONGEST_LINE else f"{said[: _LONGEST_LINE // 2]} ... {said[-_LONGEST_LINE // 2 :]}"


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
    """B anchors, the positives of the first P of them and C explicit negatives, as token passes grouped by length.

    P is B but for labelled pairs, of which one of label 0 has no positive. The passes hold all texts; `*_rows` say
    where each role's texts stand in the passes' outputs laid end to end. `*_keys` are 64-bit hashes of the texts, by
    which equal candidates are known without comparing text.
    """

    passes: tuple[TokenBatch, ...]
    anchor_rows_B: Tensor
    positive_rows_P: Tensor
    negative_rows_C: Tensor
    negative_anchors: tuple[int, ...]
    """The anchor that each of the C negatives was given for; on the host, as `places`."""
    places: tuple[int, ...]
    """The rows of all anchors, positives and negatives once more."""
    truncated: int
    """Texts that lost their end to the length limit."""
    anchor_keys_B: Tensor
    positive_keys_P: Tensor
    negative_keys_C: Tensor
    queries: tuple[bool, ...]
    """Which of all texts, in the order of `places`, have a query's prompt."""
    rows: tuple[Row, ...] = ()
    """Where each of the B rows stands in the sources; empty for rows that come from none."""
    columns: Mapping[str, Tensor] = field(default_factory=dict)
    """Numbers that the loss asked for, float32 `(B,)` each; NaN where a row has none."""

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
        passes = tuple(p.to(device, non_blocking) for p in self.passes)
        return self._with(passes, lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> TripletBatch:
        return self._with(tuple(p.pin_memory() for p in self.passes), lambda tensor: tensor.pin_memory())

    def _with(self, passes: tuple[TokenBatch, ...], change: Callable[[Tensor], Tensor]) -> TripletBatch:
        """The same with other passes, and all tensors changed."""
        tensors = {k: v for k, v in vars(self).items() if not isinstance(v, tuple | int | Mapping)}
        changed: dict[str, Any] = {name: change(tensor) for name, tensor in tensors.items()}
        changed["columns"] = {name: change(column) for name, column in self.columns.items()}
        return replace(self, passes=passes, **changed)


@dataclass(frozen=True)
class PairScores:
    """Scores of a batch: B anchors that have a positive, C explicit negatives, T of which are in a row with a positive.

    T is C but for labelled pairs of label 0, whose negatives stand behind the others. Sums over B, C and T are divided
    by their means over ranks, so that the mean over ranks is that over all of them.
    """

    positives_B: Tensor
    """Each anchor with its own positive."""
    negatives_C: Tensor
    """Each negative with the anchor that it was given for."""
    anchors_T: Tensor
    """int64: which of the B anchors each of the first T negatives was given for."""
    positives_a_rank: float
    """Mean of B over ranks, as of C and T below."""
    negatives_a_rank: float
    triplets_a_rank: float
    rows_B: Tensor
    """int64: where each anchor's positive stands among the candidates, and it among the anchors of all ranks."""
    every_BC: Tensor | None = None
    """Each anchor with its candidates: the positives of all ranks and, if the loss needs them, then all negatives; or
    with some of them."""
    duplicates_BC: Tensor | None = None
    """bool: True where such a candidate is the same text as the anchor or its positive."""
    reverse_BA: Tensor | None = None
    """Each positive with the A anchors of all ranks, for symmetric losses."""
    duplicates_BA: Tensor | None = None
    """bool: True where such an anchor is the same text as the positive or its anchor."""
    columns: Mapping[str, Tensor] = field(default_factory=dict)
    """Numbers of the rows that the loss needs, one a row: first those of the B anchors; NaN where a row has none."""
    teacher_positives_B: Tensor | None = None
    """A teacher's scores of the same pairs, on any scale: those of the column `teacher`, if the loss needs it."""
    teacher_negatives_C: Tensor | None = None
    """Those of the column `teacher_negative`."""
    teacher_every_BC: Tensor | None = None
    """A teacher's scores of the candidates, from whoever computes them."""


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
