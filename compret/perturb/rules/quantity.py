"""Quantity: another number, or another quantifier."""

from __future__ import annotations

import re

from compret.perturb.edit import replaced
from compret.perturb.grammar import asks
from compret.perturb.tables import flipped, flips
from compret.perturb.types import Edits, Random, Skip, Span, Token

_WHOLE = re.compile(r"[1-9]\d{0,2}(?:,\d{3})*|[1-9]\d*")
_YEAR = re.compile(r"1[1-9]\d\d|20[0-2]\d")
_RANGE = frozenset({"between", "from", "to", "-", "–", "--", "and", "or", "of", "x", "/", "version", "volume", "page", "(", "c.", "chapter", "note"})


class Quantity:
    category, label = "quantity", 0

    def apply(self, sent: Span, rng: Random) -> Edits:
        made = [] if asks(sent) else list(flipped(sent, "quantity"))
        made += [replaced(sent, {i: words}) for (i, _), words in flips(sent, "number") if _counts(sent.doc[i])]
        made += [replaced(sent, {t.i: _other(t, rng)}) for t in sent if _WHOLE.fullmatch(t.text) and _counts(t)]
        yield from made or [Skip("no number or quantifier that can be changed")]


def _counts(token: Token) -> bool:
    """Whether a number counts its noun, or is the year of a date."""
    neighbours = {token.doc[i].lower_ for i in (token.i - 1, token.i + 1) if 0 <= i < len(token.doc)}
    tags = {token.doc[i].tag_ for i in (token.i - 1, token.i + 1) if 0 <= i < len(token.doc)}
    if token.tag_ != "CD" or (token.dep_ == "nummod" and "CD" in tags) or neighbours & _RANGE or token.text == "1":
        return False
    if _YEAR.fullmatch(token.text):
        return True
    behind = token.doc[token.i + 1].lower_ if token.i + 1 < len(token.doc) else ""
    if behind in ("%", "percent") or (token.i and token.doc[token.i - 1].is_currency):
        return token.text != "100"
    return token.dep_ == "nummod" and token.head.tag_ in ("NNS", "NNPS") and token.head.i > token.i


def _other(token: Token, rng: Random) -> str:
    """A number that is clearly another one, of about the same size."""
    value = int(token.text.replace(",", ""))
    if _YEAR.fullmatch(token.text):
        return str(value - rng.randint(3, 30))
    other = max(2, round(value * rng.choice([0.5, 0.7, 1.4, 1.8, 2.0])))
    return f"{other if other != value else value + 2:,}" if "," in token.text else str(other if other != value else value + 2)
