"""Entity: two names that stand in like places are exchanged."""

from __future__ import annotations

from itertools import combinations

from compret.perturb.edit import exchanged
from compret.perturb.tables import table
from compret.perturb.types import Edits, Random, Range, Skip, Span, Token

_PREPOSITIONS = ("in", "to", "from", "by", "for", "with", "at", "near")


class Entity:
    category, label = "entity", 0

    def apply(self, sent: Span, rng: Random) -> Edits:
        names = [token for token in sent if _is_name(token)]
        pairs = [pair for pair in combinations(names, 2) if _alike(*pair)]
        yield from [exchanged(sent, _name(a), _name(b)) for a, b in pairs] or [Skip("no two names in like places")]


def _is_name(token: Token) -> bool:
    """A bare name after a preposition or as a subject: no title, no apposition, no coordination, no date."""
    bare = all(c.tag_ == "NNP" and c.dep_ == "compound" or c.lower_ == "the" or c.dep_ == "case" for c in token.children)
    words = token.doc[token.left_edge.i : token.i + 1]
    dated = any(t.lower_ in table("temporal") or t.lower_ == "may" or not t.text[0].isalpha() for t in words)
    return token.tag_ == "NNP" and token.dep_ in ("pobj", "nsubj") and bare and not dated and not _goes_on(token)


def _goes_on(token: Token) -> bool:
    rest = [t.text if t.tag_ not in ("NNP", "CD") else "A" for t in token.doc[token.i + 1 : token.i + 3]]
    return rest[:1] in (["A"], ["-"], ["–"], ["/"], ["("]) or rest == [",", "A"]


def _alike(one: Token, two: Token) -> bool:
    """Both after the same preposition on words of their own, or subjects of two verbs."""
    if one.lower_ == two.lower_ or one.dep_ != two.dep_ or one.head.head == two.head.head or one in two.ancestors:
        return False
    return one.dep_ == "nsubj" or (one.head.lower_ == two.head.lower_ and one.head.lower_ in _PREPOSITIONS)


def _name(head: Token) -> Range:
    return head.left_edge.i, head.i + 1
