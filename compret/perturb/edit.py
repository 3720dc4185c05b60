"""New sentences from tokens and words: spacing, punctuation, capitals and a/an come out right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from compret.perturb.types import Range, Span, Token


_AN = re.compile(r"(?!uni(?!n|m)|use|usu|uti|eu|one\b|once\b|ubiq)[aeiou]|hour|honest|heir|hono|8|11\b|18\b", re.I)
_CLOSING = re.compile(r"[,.;:!?%)\]’']|n't\b")


def arranged(sent: Span, parts: Iterable[Range | str], new: Mapping[int, str] | None = None) -> str:
    """A sentence of ranges of tokens and of new words; `new` puts words in the place of single tokens, '' none."""
    pieces: list[Token | str] = []
    for part in parts:
        if isinstance(part, str):
            pieces.append(part)
        else:
            pieces += [(new or {}).get(i, sent.doc[i]) for i in range(*part)]
    return _joined(sent, [piece for piece in pieces if not isinstance(piece, str) or piece])


def replaced(sent: Span, new: Mapping[int, str]) -> str:
    """The sentence with words in the place of some of its tokens."""
    return arranged(sent, [(sent.start, sent.end)], new)


def exchanged(sent: Span, one: Range, two: Range, new: Mapping[int, str] | None = None) -> str:
    """The sentence with two ranges of tokens in each other's place."""
    a, b = sorted([one, two])
    return arranged(sent, [(sent.start, a[0]), b, (a[1], b[0]), a, (b[1], sent.end)], new)


def tokenised(sent: Span) -> bool:
    """Whether spaces stand before the marks, as in text that was cut into tokens."""
    return any(left.whitespace_ and right.text in ",.?;" for left, right in pairwise(sent))


def _joined(sent: Span, pieces: Sequence[Token | str]) -> str:
    words = _cased(sent, pieces)
    text = words[0]
    for i, (left, right) in enumerate(pairwise(pieces)):
        kept = not isinstance(left, str) and not isinstance(right, str) and right.i == left.i + 1
        if words[i].lower() in ("a", "an") and not kept:
            text = text[: -len(words[i])] + _article(words[i], words[i + 1])
        text += (" " if _spaced(sent, left, right) else "") + words[i + 1]
    return text


def _spaced(sent: Span, left: Token | str, right: Token | str) -> bool:
    if isinstance(right, str):
        if _CLOSING.match(right):
            return tokenised(sent)
    elif isinstance(left, str) or right.i != left.i + 1:
        before = bool(sent.doc[right.i - 1].whitespace_) if right.i else True
        if _CLOSING.match(right.text) or (right.is_punct and not before):
            return before
    elif right.i == left.i + 1:
        return bool(left.whitespace_)
    sticks = not isinstance(left, str) and (left.is_left_punct or left.is_currency or left.is_quote or left.text in "-–/#")
    return bool(left.whitespace_) if sticks else True  # type: ignore[union-attr]


def _cased(sent: Span, pieces: Sequence[Token | str]) -> list[str]:
    """The words, the first with a capital where the sentence had one, and that word without it elsewhere."""
    words = [piece if isinstance(piece, str) else piece.text for piece in pieces]
    first = sent[0]
    if first.text[:1].isupper():
        for i, piece in enumerate(pieces):
            if not isinstance(piece, str) and piece.i == first.i and i > 0 and not _keeps_capital(first):
                words[i] = words[i][0].lower() + words[i][1:]
        words[0] = words[0][0].upper() + words[0][1:]
    return words


def _keeps_capital(token: Token) -> bool:
    return token.pos_ == "PROPN" or token.text == "I" or token.text[1:] != token.text[1:].lower()


def _article(article: str, word: str) -> str:
    right = "an" if _AN.match(word) else "a"
    return right.capitalize() if article[0].isupper() else right
