"""Value-binding: two numbers of one kind are exchanged between what they count or date."""

from __future__ import annotations

from itertools import combinations

from compret.perturb.edit import replaced
from compret.perturb.numbers import kind
from compret.perturb.types import Edits, Random, Span, Token

_JOINING = frozenset("to and or - – in , from % percent million billion".split())
_SINCE = frozenset({"in", "since", "until", "by"})


class ValueBinding:
    category, label, nothing = "value-binding", 0, "no two values of one kind with heads of their own"

    def apply(self, sent: Span, rng: Random) -> Edits:
        pairs = combinations([(token, kind(token)) for token in sent if kind(token)], 2)
        alike = ((a, b) for (a, one), (b, two) in pairs if one == two and _apart(a, b, one))
        yield from (replaced(sent, {a.i: b.text, b.i: a.text}) for a, b in alike)


def _apart(one: Token, two: Token, what: str) -> bool:
    """Two heads, another value, and no range, coordination of the two or bracket between them."""
    between = one.doc[one.i + 1 : two.i]
    joined = all(t.lower_ in _JOINING for t in between) or any(t.text in "()" for t in between)
    same = one.lower_ == two.lower_ or one.is_alpha != two.is_alpha or one.dep_ != two.dep_
    heads = one.head.lower_ != two.head.lower_ if what == "count" else one.head != two.head
    dates = what != "year" or one.dep_ == "nummod" or {one.head.lower_, two.head.lower_} <= _SINCE
    return heads and dates and not (same or joined)
