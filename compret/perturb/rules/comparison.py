"""Comparison: the scale turned round, or what is compared exchanged."""

from __future__ import annotations

from compret.perturb.grammar import Clause, asks, asks_yes_or_no, turned
from compret.perturb.tables import flipped
from compret.perturb.types import Edits, Random, Span


class Comparison:
    category, label, nothing = "comparison", 0, "nothing is compared"

    def apply(self, sent: Span, rng: Random) -> Edits:
        yield from flipped(sent, "comparison")
        c = Clause(sent.root)
        than = [t for t in sent if t.lower_ == "than" and t.head.tag_ in ("JJR", "RBR", "JJ") and t.head.head == c.verb]
        if len(than) == 1 and not c.negated and (asks_yes_or_no(sent) or not asks(sent)):
            yield from (turned(sent, c, t) for t in than[0].children if t.dep_ == "pobj")
