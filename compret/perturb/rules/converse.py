"""Converse: the same relation told from its other side, by verbs (sell, buy) and by comparatives and directions."""

from __future__ import annotations

from compret.perturb.grammar import FINITE, Clause, asks, inflect, is_agent, is_plural, phrase, turned
from compret.perturb.tables import table
from compret.perturb.types import Edits, Random, Skip, Span, Token


class Converse:
    category, label, nothing = "converse", 1, "no word that has a converse"

    def apply(self, sent: Span, rng: Random) -> Edits:
        c = Clause(sent.root)
        if asks(sent) or c.negated or c.passive or c.subject is None or phrase(c.subject)[1] != c.finite.i:
            raise Skip("a question, a negation or no subject before the verb")
        if (
            c.hangs
            or c.has("conj", "xcomp", "ccomp")
            or any(t.dep_ == "dative" and t.pos_ != "ADP" for t in c.children)
        ):
            raise Skip("more than one verb or object")
        for entry in table("converse").get(c.base, ()):
            prepositions = entry.words[1:]
            others = c.behind(*prepositions) if prepositions else [c.object]
            for other in others:
                if other is not None and (not prepositions or c.object is None or _is_given(c, other)):
                    yield _told(sent, c, other, entry.other.split(), bool(prepositions))
        yield from _predicates(sent, c)


def _told(sent: Span, c: Clause, other: Token, words: list[str], drop: bool) -> str | None:
    """`A owns B` -> `B belongs to A`: the preposition before the other phrase goes, that of the new verb comes."""
    start, end = phrase(other)
    many, tag = is_plural(other), c.verb.tag_
    if many is None or (not c.auxiliaries and tag not in FINITE) or sent.doc[min(end, sent.end - 1)].tag_ == "VBG":
        return None
    new: dict[int, str | None] = {c.verb.i: inflect(words[0], tag, many)}
    return turned(sent, c, other, new | ({start - 1: ""} if drop else {}), " ".join(words[1:]))


def _is_given(c: Clause, other: Token) -> bool:
    """Whether a thing goes from someone to someone; `give rise to` is no gift."""
    thing = c.object
    real = thing is not None and (thing.tag_ != "NN" or any(t.dep_ in ("det", "poss", "amod") for t in thing.children))
    return real and c.subject is not None and is_agent(c.subject) and is_agent(other)


def _predicates(sent: Span, c: Clause) -> Edits:
    """`A is larger than B` -> `B is smaller than A`."""
    at = c.verb.i + 1
    for entry in table("converse_be").get(sent.doc[at].lower_, ()) if c.base == "be" and at < sent.end else ():
        words = sent.doc[at : at + len(entry.words)]
        others = [t for word in words for t in word.children if t.dep_ == "pobj" and phrase(t)[0] == words.end]
        if tuple(t.lower_ for t in words) == entry.words and others:
            yield turned(sent, c, others[0], {t.i: "" for t in words}, entry.other)
