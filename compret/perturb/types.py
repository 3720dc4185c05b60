"""What a rule is, what it makes, and how it says that it leaves a sentence alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random as Random
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from spacy.tokens import Doc as Doc
    from spacy.tokens import Span as Span
    from spacy.tokens import Token as Token
else:  # the rules are listed without the parser
    Doc = Span = Token = Any

Range: TypeAlias = tuple[int, int]
"""First token and the one behind the last, as indices in the document."""
Edits: TypeAlias = Iterator[str | None]


class Skip(Exception):  # noqa: N818 - no error: a reason that is counted
    """Why a rule leaves a sentence alone."""


class Perturbation(Protocol):
    """A rule: all its edits of one parsed sentence; None or `Skip` where it does not fit."""

    category: str
    label: int
    """1: the edit keeps the meaning; 0: it does not."""
    nothing: str
    """The reason that is counted where there is no edit."""

    def apply(self, sent: Span, rng: Random) -> Edits: ...


@dataclass(frozen=True)
class Edit:
    """A text after one edit of one of its sentences."""

    text: str
    category: str
    label: int
