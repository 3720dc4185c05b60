"""Two texts as one sequence of tokens, as their tokenizer joins a pair; made of the ids of each text alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compret.nn.tokenizer import TextTokenizer
from compret.types import TokenBatch, UserError

Pairs = NDArray[np.int64]
"""A text of the left and one of the right each, by their numbers, `(P, 2)`."""


@dataclass(frozen=True)
class TextIds:
    """Token ids of B texts laid end to end, without padding."""

    ids_T: Tensor
    """int64."""
    lengths: tuple[int, ...]
    """Tokens of each text; they sum to T. On the host, so that no id must be read back."""

    @classmethod
    def of(cls, ids: Sequence[NDArray[np.int32]]) -> TextIds:
        """What a tokenizer gives."""
        flat = np.concatenate([np.empty(0, np.int64), *ids])
        return cls(torch.from_numpy(flat.astype(np.int64)), tuple(map(len, ids)))

    @cached_property
    def starts_B(self) -> NDArray[np.int64]:
        return np.array([0, *accumulate(self.lengths)][:-1], dtype=np.int64)

    @cached_property
    def lengths_B(self) -> NDArray[np.int64]:
        return np.array(self.lengths, dtype=np.int64)

    def to(self, device: torch.device) -> TextIds:
        return TextIds(self.ids_T.to(device), self.lengths)


@dataclass(frozen=True)
class Joint:
    """P pairs as one pass of a transformer."""

    tokens: TokenBatch
    second_PM: Tensor
    """int64, `(P, M)`: 1 for a token of the second text, as BERT's token types."""


@dataclass(frozen=True)
class Joiner:
    """How a tokenizer joins two texts: the first as it is, tokens between, the second without its first tokens."""

    between: tuple[int, ...]
    """Special tokens put between."""
    dropped: int
    """Leading special tokens that the second text loses."""
    padding: int

    @classmethod
    def of(cls, tokenizer: TextTokenizer) -> Joiner:
        """Read off a pair that the tokenizer joins by itself.

        Raises:
            UserError: its pairs are not made of its single texts.
        """
        backend = tokenizer.fast.backend_tokenizer
        first, second, pair = (backend.encode(*texts).ids for texts in (("a",), ("b",), ("a", "b")))
        middle = pair[len(first) :]
        for dropped in range(len(second)):
            tail = second[dropped:]
            if pair[: len(first)] == first and middle[len(middle) - len(tail) :] == tail:
                between = tuple(middle[: len(middle) - len(tail)])
                return cls(between, dropped, tokenizer.fast.pad_token_id or 0)
        raise UserError(f"{tokenizer.fast.name_or_path}: its tokenizer joins two texts in no way that compret knows")

    def lengths(self, left: TextIds, right: TextIds, pairs_P2: Pairs) -> NDArray[np.int64]:
        """Tokens of each joint sequence, `(P,)`."""
        added = len(self.between) - self.dropped
        return np.asarray(left.lengths_B[pairs_P2[:, 0]] + right.lengths_B[pairs_P2[:, 1]] + added)

    def join(self, left: TextIds, right: TextIds, pairs_P2: Pairs, device: torch.device) -> Joint:
        """Some pairs, right-padded to the longest; each is cut out of the ids laid end to end."""
        lengths_P = self.lengths(left, right, pairs_P2)
        places_M = np.arange(int(lengths_P.max()))
        first_P1 = left.lengths_B[pairs_P2[:, 0], None]
        second_P1 = first_P1 + len(self.between)
        in_left = left.starts_B[pairs_P2[:, 0], None] + places_M
        in_between = len(left.ids_T) + len(right.ids_T) + places_M - first_P1
        in_right = len(left.ids_T) + right.starts_B[pairs_P2[:, 1], None] + self.dropped + places_M - second_P1
        index_PM = np.where(places_M < first_P1, in_left, np.where(places_M < second_P1, in_between, in_right))
        mask_PM = places_M < lengths_P[:, None]
        index_PM = np.where(mask_PM, index_PM, len(left.ids_T) + len(right.ids_T) + len(self.between))
        fixed = torch.tensor([*self.between, self.padding], dtype=torch.long, device=left.ids_T.device)
        known_T = torch.cat([left.ids_T, right.ids_T, fixed])
        ids_PM = known_T[torch.from_numpy(index_PM).to(known_T.device)].to(device)
        mask, second = (torch.from_numpy(x.astype(np.int64)) for x in (mask_PM, mask_PM & (places_M >= second_P1)))
        return Joint(TokenBatch(ids_PM, mask.to(device), tuple(lengths_P.tolist())), second.to(device))
