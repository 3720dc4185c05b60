"""Attribute-binding: the adjectives of two nouns are exchanged, if the two are of one class."""

from __future__ import annotations

from itertools import combinations

from compret.perturb.edit import exchanged
from compret.perturb.tables import classes, listed
from compret.perturb.types import Edits, Random, Skip, Span, Token

_FAR = 15


class AttributeBinding:
    category, label = "attribute-binding", 0

    def apply(self, sent: Span, rng: Random) -> Edits:
        pairs = [pair for pair in combinations([t for t in sent if _is_attribute(t)], 2) if _alike(*pair)]
        made = [exchanged(sent, (a.i, a.i + 1), (b.i, b.i + 1)) for a, b in pairs]
        yield from made or [Skip("no two nouns with adjectives of one class")]


def _is_attribute(token: Token) -> bool:
    """The one adjective right before a common noun."""
    head, before = token.head, token.doc[max(0, token.i - 1)]
    bare = token.tag_ == "JJ" and token.dep_ == "amod" and token.i + 1 == head.i and not list(token.children)
    alone = before.dep_ not in ("amod", "advmod", "compound") and before.text not in ("-", "/")
    return bare and alone and head.dep_ != "compound" and head.tag_ in ("NN", "NNS") and token.lower_ not in listed("bound")


def _alike(one: Token, two: Token) -> bool:
    """Adjectives of one class, on two nouns that are not far from each other."""
    kinds = [classes("attribute").get(token.lower_) for token in (one, two)]
    differ = one.lower_ != two.lower_ and one.head.lower_ != two.head.lower_
    return differ and two.i - one.i <= _FAR and kinds[0] == kinds[1] is not None
