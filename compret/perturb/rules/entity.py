"""Entity: two names that stand in like places are exchanged."""

from __future__ import annotations

from itertools import combinations

from compret.perturb.edit import exchanged
from compret.perturb.tables import table
from compret.perturb.types import Edits, Random, Span, Token

_PREPOSITIONS = ("in", "to", "from", "by", "for", "with", "at", "near")


class Entity:
    category, label, nothing = "entity", 0, "no two names in like places"

    def apply(self, sent: Span, rng: Random) -> Edits:
        for a, b in combinations([token for token in sent if _is_name(token)], 2):
            if _alike(a, b):
                yield exchanged(sent, (a.left_edge.i, a.i + 1), (b.left_edge.i, b.i + 1))


def _is_name(token: Token) -> bool:
    """A bare name after a preposition or as a subject: no title, no apposition, no coordination, no date."""
    if token.tag_ != "NNP" or token.dep_ not in ("pobj", "nsubj"):
        return False
    bare = all((c.tag_ == "NNP" and c.dep_ == "compound") or c.lower_ == "the" for c in token.children)
    words = token.doc[token.left_edge.i : token.i + 1]
    dated = any(t.lower_ in table("temporal") or t.lower_ == "may" or not t.text[0].isalpha() for t in words)
    rest = [t.text if t.tag_ not in ("NNP", "CD") else "A" for t in token.doc[token.i + 1 : token.i + 3]]
    return bare and not dated and rest != [",", "A"] and rest[:1] not in (["A"], ["-"], ["–"], ["/"], ["("], ["'s"])


def _alike(one: Token, two: Token) -> bool:
    """Both after the same preposition on words of their own, or subjects of two verbs."""
    words = [{t.lower_ for t in (name, *name.lefts)} - {"the"} for name in (one, two)]
    if words[0] & words[1] or one.dep_ != two.dep_ or one.head == two.head or one in two.ancestors:
        return False
    apart = one.head.head != two.head.head
    return one.dep_ == "nsubj" or (apart and one.head.lower_ == two.head.lower_ and one.head.lower_ in _PREPOSITIONS)
