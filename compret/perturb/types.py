"""What a rule is, and what it says when it leaves a sentence alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random as Random
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from spacy.tokens import Doc as Doc
    from spacy.tokens import Span as Span
    from spacy.tokens import Token as Token
else:  # the rules are read, and listed, without the parser
    Doc = Span = Token = Any


@dataclass(frozen=True)
class Skip:
    """Why an edit was not made; counted in the report."""

    reason: str


Edits: TypeAlias = Iterator[str | Skip]
Range: TypeAlias = tuple[int, int]
"""First token and the one behind the last, as indices in the document."""


class Perturbation(Protocol):
    """A rule: all its edits of one parsed sentence, each a new sentence, or the reason why not."""

    category: str
    label: int
    """1: the edit keeps the meaning; 0: it does not."""

    def apply(self, sent: Span, rng: Random) -> Edits: ...


@dataclass(frozen=True)
class Edit:
    """A text after one edit of one of its sentences."""

    text: str
    category: str
    label: int
