"""Value-binding: two numbers of one kind are exchanged between what they count or date."""

from __future__ import annotations

import re
from itertools import combinations

from compret.perturb.edit import replaced
from compret.perturb.tables import table
from compret.perturb.types import Edits, Random, Skip, Span, Token

_YEAR = re.compile(r"1[1-9]\d\d|20[0-2]\d")


class ValueBinding:
    category, label = "value-binding", 0

    def apply(self, sent: Span, rng: Random) -> Edits:
        values = [(token, kind) for token in sent if (kind := _kind(token))]
        pairs = [(a, b) for (a, one), (b, two) in combinations(values, 2) if one == two and _apart(a, b)]
        made = [replaced(sent, {a.i: b.text, b.i: a.text}) for a, b in pairs]
        yield from made or [Skip("no two values of one kind with heads of their own")]


def _kind(token: Token) -> str:
    """year, percent, money or count; '' for other numbers."""
    if token.tag_ != "CD" or token.lower_ in ("one", "1", "zero", "0"):
        return ""
    before, behind = (token.doc[i].lower_ if 0 <= i < len(token.doc) else "" for i in (token.i - 1, token.i + 1))
    if _YEAR.fullmatch(token.text):
        return "year" if token.dep_ == "pobj" and token.head.lower_ in ("in", "since", "until", "by") else ""
    if behind in ("%", "percent"):
        return "percent"
    if before in ("$", "£", "€"):
        return f"money {behind if behind in ('million', 'billion') else ''}"
    plain = token.text.replace(",", "").isdigit() or token.lower_ in table("number")
    counts = token.dep_ == "nummod" and token.head.tag_ == "NNS" and token.head.i > token.i and before not in ("-", "/")
    return "count" if plain and counts else ""


def _apart(one: Token, two: Token) -> bool:
    """Two heads, another value, and no range, coordination or bracket between the two."""
    between = one.doc[one.i + 1 : two.i]
    joined = len(between) <= 3 and any(t.lower_ in ("to", "and", "or", "-", "–") for t in between)
    same = one.lower_ == two.lower_ or (one.head.lower_ == two.head.lower_ and one.dep_ == "nummod")
    return one.head != two.head and not same and not joined and not any(t.text in "()" for t in between)
