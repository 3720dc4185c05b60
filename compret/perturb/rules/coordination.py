"""Coordination: the order of two coordinated phrases."""

from __future__ import annotations

from compret.perturb.edit import exchanged
from compret.perturb.tables import listed
from compret.perturb.types import Edits, Random, Range, Skip, Span, Token

_ORDERED = ("respectively", "former", "latter", "then", "between", "from")


class Coordination:
    category, label, nothing = "coordination", 1, "no two like phrases that are coordinated"

    def apply(self, sent: Span, rng: Random) -> Edits:
        if any(t.lower_ in _ORDERED for t in sent):
            raise Skip("an order that is meant")
        yield from (exchanged(sent, *pair) for t in sent if (pair := _pair(t)) is not None)


def _pair(head: Token) -> tuple[Range, Range] | None:
    """Two like phrases, alone, the last two of a list or its first two."""
    others = [t for t in head.children if t.dep_ == "conj"]
    if len(others) != 1 or head.tag_ not in ("NN", "NNS", "JJ", "NNP") or others[0].tag_ != head.tag_:
        return None
    other = others[0]
    one, two = ([t for t in word.lefts if t.dep_ != "preconj"] for word in (head, other))
    if not (_joined(head, other) and _ends(other) and _begins(head) and _alike(head, one, two)):
        return None
    shared = bool(one) and one[0].dep_ == "det" and (not two or two[0].dep_ != "det")
    start = min([head.i, *(t.left_edge.i for t in one[shared:])])
    return (start, head.i + 1), (other.left_edge.i, other.i + 1)


def _joined(head: Token, other: Token) -> bool:
    """`A and B`, or `A, B,` at the head of a list."""
    words = [t.lower_ for t in head.doc[head.i + 1 : other.left_edge.i] if t.text != ","]
    behind = head.doc[other.i + 1].text if other.i + 1 < len(head.doc) else ""
    first = behind == "," and any(t.dep_ == "conj" for t in other.children) and head.dep_ != "conj"
    return words in (["and"], ["or"]) or (not words and first and not any(t.dep_ == "det" for t in head.lefts))


def _begins(head: Token) -> bool:
    """Whether nothing stands before that might belong to the first phrase alone."""
    before = head.doc[head.left_edge.i - 1] if head.left_edge.i else head
    named = head.tag_ == "NNP" and before.text == ","
    return before is head or not (before.pos_ in ("NOUN", "PROPN", "ADJ", "NUM") or before.lower_ == "of" or named)


def _ends(other: Token) -> bool:
    """Whether nothing follows that might belong to the last phrase alone."""
    behind = other.doc[other.i + 1] if other.i + 1 < len(other.doc) else None
    whole = other.right_edge == other or next(other.rights).dep_ in ("conj", "cc", "punct")
    return whole and (behind is None or behind.text in (".", ",", ";", "?", "!") or behind.pos_ in ("VERB", "AUX"))


def _alike(head: Token, one: list[Token], two: list[Token]) -> bool:
    """Both bare, or each with words of its own; a determiner may stand before both."""
    (a, b), words = [[t.dep_ for t in lefts] for lefts in (one, two)], {t.lower_ for t in two}
    plain = not {*a, *b} - ({"det", "amod", "compound"} if head.tag_ != "JJ" else set()) and "compound" not in a
    shared = a in ([], ["det"]) and b == []
    own = ("det" in a and "det" in b) or ("amod" in a and "amod" in b and "det" not in b)
    return plain and (shared or own) and head.lower_ not in listed("binomial") and not words & {"other", "more"}
