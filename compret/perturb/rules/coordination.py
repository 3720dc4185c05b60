"""Coordination: the order of two coordinated phrases."""

from __future__ import annotations


from compret.perturb.edit import exchanged
from compret.perturb.tables import listed
from compret.perturb.types import Edits, Random, Range, Skip, Span, Token


class Coordination:
    category, label = "coordination", 1

    def apply(self, sent: Span, rng: Random) -> Edits:
        if any(t.lower_ in ("respectively", "former", "latter", "then", "between", "from") for t in sent):
            yield Skip("an order that is meant")
            return
        made = [exchanged(sent, *pair) for t in sent if (pair := _pair(t)) is not None]
        yield from made or [Skip("no two like phrases that are coordinated")]


def _pair(head: Token) -> tuple[Range, Range] | None:
    """Two like phrases, the last two of a list or its first two, that hold nothing but themselves."""
    others = [t for t in head.children if t.dep_ == "conj"]
    if len(others) != 1 or head.tag_ not in ("NN", "NNS", "JJ", "NNP") or others[0].tag_ != head.tag_:
        return None
    doc, other = head.doc, others[0]
    between = [t for t in doc[head.i + 1 : other.left_edge.i] if t.text != ","]
    joined = [t.lower_ for t in between] in (["and"], ["or"]) or (
        not between and head.dep_ != "conj" and other.i + 1 < len(doc) and doc[other.i + 1].text == ","
    )
    kinds = [[t for t in word.lefts if t.dep_ != "preconj"] for word in (head, other)]
    if not joined or not _alike(head, *kinds) or head.lower_ in listed("binomial") or "other" in (t.lower_ for t in kinds[1]):
        return None
    start = kinds[0][1].left_edge.i if len(kinds[0]) > 1 and kinds[0][0].dep_ == "det" != kinds[1][0].dep_ else head.left_edge.i
    if not kinds[1] and kinds[0]:
        start = head.i
    return ((start, head.i + 1), (other.left_edge.i, other.i + 1)) if _ends(other) else None


def _alike(head: Token, one: list[Token], two: list[Token]) -> bool:
    """Both bare, or each with words of its own; a determiner may stand before both."""
    deps = [[t.dep_ for t in lefts] for lefts in (one, two)]
    allowed = {"det", "amod", "compound"} if head.tag_ != "JJ" else set()
    plain = set(deps[0]) | set(deps[1]) <= allowed
    before = head.doc[head.left_edge.i - 1] if head.left_edge.i else None
    loose = before is not None and (before.pos_ in ("NOUN", "PROPN", "ADJ", "NUM") or before.lower_ == "of")
    loose = loose or (head.tag_ == "NNP" and before is not None and before.text == ",")
    shared = deps[0] in ([], ["det"]) and deps[1] == []
    own = all("det" in d for d in deps) or (all({"amod"} & set(d) for d in deps) and "det" not in deps[1])
    return plain and not loose and (shared or own) and "compound" not in deps[0]


def _ends(other: Token) -> bool:
    """Whether nothing follows that might belong to the last phrase alone."""
    behind = other.doc[other.i + 1] if other.i + 1 < len(other.doc) else None
    whole = other.right_edge == other or next(other.rights).dep_ in ("conj", "cc", "punct")
    return whole and (behind is None or behind.text in (".", ",", ";", "?", "!") or behind.pos_ in ("VERB", "AUX"))
