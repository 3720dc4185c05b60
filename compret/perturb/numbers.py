"""Numbers that a sentence states: a year, a share, an amount of money or a count, not a name, a range or a version."""

from __future__ import annotations

import re

from compret.perturb.tables import table
from compret.perturb.types import Token

_WHOLE = re.compile(r"[1-9]\d{0,2}(?:,\d{3})*|[1-9]\d*")
_YEAR = re.compile(r"1[1-9]\d\d|20[0-2]\d")
_BOUND = frozenset("between from - – -- x / version volume page ( c. chapter note".split())
_JOINING = frozenset({"and", "or", "to"})


def kind(token: Token) -> str:
    """year, percent, money, money in millions or billions, or count; '' for any other number, and for one."""
    whole = _WHOLE.fullmatch(token.text) or token.lower_ in table("number")
    if token.tag_ != "CD" or not whole or token.text in ("1", "100"):
        return ""
    sides = [token.doc[i] if 0 <= i < len(token.doc) else token for i in range(token.i - 2, token.i + 3)]
    far_before, before, _, behind, far_behind = sides
    pairs = (before, far_before), (behind, far_behind)
    joined = any(a.lower_ in _BOUND or (a.lower_ in _JOINING and b.tag_ == "CD") for a, b in pairs)
    if joined or (token.dep_ == "nummod" and "CD" in (before.tag_, behind.tag_)):
        return ""
    if _YEAR.fullmatch(token.text):
        return "year"
    if behind.lower_ in ("%", "percent"):
        return "percent"
    if before.is_currency:
        return f"money {behind.lower_ if behind.like_num else ''}"
    counts = token.dep_ == "nummod" and token.head.tag_ in ("NNS", "NNPS") and token.head.i > token.i
    return "count" if counts else ""
