"""Comparison: the scale turned round, or what is compared exchanged."""

from __future__ import annotations


from compret.perturb.edit import exchanged
from compret.perturb.grammar import agreeing, asks, asks_yes_or_no, clause, is_plain, is_plural, phrase
from compret.perturb.tables import flipped
from compret.perturb.types import Edits, Random, Skip, Span


class Comparison:
    category, label = "comparison", 0

    def apply(self, sent: Span, rng: Random) -> Edits:
        yield from [*flipped(sent, "comparison"), *_operands(sent)] or [Skip("nothing is compared")]


def _operands(sent: Span) -> list[str]:
    """`A is larger than B` -> `B is larger than A`."""
    c = clause(sent.root)
    than = [t for t in sent if t.lower_ == "than" and t.head.tag_ in ("JJR", "RBR", "JJ") and t.head.head == c.verb]
    others = [child for child in than[0].children if child.dep_ == "pobj"] if len(than) == 1 else []
    if c.subject is None or c.negation or (asks(sent) and not asks_yes_or_no(sent)) or len(others) != 1:
        return []
    if not (is_plain(c.subject) and is_plain(others[0])) or (many := is_plural(others[0])) is None:
        return []
    form = agreeing(c, many)
    return [exchanged(sent, phrase(c.subject), phrase(others[0]), {c.finite.i: form})] if form else []
