"""Attribute-binding: the adjectives of two nouns are exchanged, if the two are of one class."""

from __future__ import annotations

from itertools import combinations

from compret.perturb.edit import exchanged
from compret.perturb.tables import classes
from compret.perturb.types import Edits, Random, Span, Token

_FAR = 15


class AttributeBinding:
    category, label, nothing = "attribute-binding", 0, "no two nouns with adjectives of one class"

    def apply(self, sent: Span, rng: Random) -> Edits:
        for a, b in combinations([token for token in sent if _class(token)], 2):
            differ = a.lower_ != b.lower_ and a.head.lower_ != b.head.lower_
            if differ and b.i - a.i <= _FAR and _class(a) == _class(b):
                yield exchanged(sent, (a.i, a.i + 1), (b.i, b.i + 1))


def _class(token: Token) -> str:
    """The class of the one adjective right before a common noun; '' for other words."""
    head, before = token.head, token.doc[max(0, token.i - 1)]
    bare = token.tag_ == "JJ" and token.dep_ == "amod" and token.i + 1 == head.i and not list(token.children)
    alone = before.dep_ not in ("amod", "advmod", "compound") and before.text not in ("-", "/")
    fits = bare and alone and head.tag_ in ("NN", "NNS") and head.dep_ != "compound"
    return classes("attribute").get(token.lower_, "") if fits else ""
