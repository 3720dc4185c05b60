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
        pieces += [part] if isinstance(part, str) else [(new or {}).get(i, sent.doc[i]) for i in range(*part)]
    return _joined(sent, [piece for piece in pieces if not isinstance(piece, str) or piece])


def replaced(sent: Span, new: Mapping[int, str]) -> str:
    """The sentence with words in the place of some of its tokens."""
    return arranged(sent, [(sent.start, sent.end)], new)


def exchanged(sent: Span, one: Range, two: Range, new: Mapping[int, str] | None = None, before: str = "") -> str:
    """The sentence with two ranges of tokens in each other's place, words before the one that now comes second."""
    a, b = sorted([one, two])
    return arranged(sent, [(sent.start, a[0]), b, (a[1], b[0]), before, a, (b[1], sent.end)], new)


def tokenised(sent: Span) -> bool:
    """Whether spaces stand before the marks, as in text that was cut into tokens."""
    return any(left.whitespace_ and right.text in ",.?;" for left, right in pairwise(sent))


def _joined(sent: Span, pieces: Sequence[Token | str]) -> str:
    words = _cased(sent, pieces)
    for i, (left, right) in enumerate(pairwise(pieces)):
        kept = not isinstance(left, str) and not isinstance(right, str) and right.i == left.i + 1
        if words[i].lower() in ("a", "an") and not kept:
            words[i] = words[i][0] + ("n" if _AN.match(words[i + 1]) else "")
    gaps = [" " if _spaced(sent, left, right) else "" for left, right in pairwise(pieces)]
    return words[0] + "".join(gap + word for gap, word in zip(gaps, words[1:], strict=True))


def _spaced(sent: Span, left: Token | str, right: Token | str) -> bool:
    if isinstance(right, str):
        if _CLOSING.match(right):
            return tokenised(sent)
    elif not isinstance(left, str) and right.i == left.i + 1:
        return bool(left.whitespace_)
    else:
        before = bool(sent.doc[right.i - 1].whitespace_) if right.i else True
        if _CLOSING.match(right.text) or (right.is_punct and not before):
            return before
    if isinstance(left, str):
        return True
    sticks = left.is_left_punct or left.is_currency or left.is_quote or left.text in "-–/#"
    return bool(left.whitespace_ or not sticks)


def _cased(sent: Span, pieces: Sequence[Token | str]) -> list[str]:
    """The words, the first with a capital where the sentence had one, and that word without it elsewhere."""
    words, first = [piece if isinstance(piece, str) else piece.text for piece in pieces], sent[0]
    if first.text[:1].isupper():
        named = first.pos_ == "PROPN" or first.text == "I" or first.text[1:] != first.text[1:].lower()
        for i, piece in enumerate(pieces):
            if not (named or isinstance(piece, str) or piece.i != first.i):
                words[i] = first.text[0].lower() + first.text[1:]
        words[0] = words[0][0].upper() + words[0][1:]
    return words
