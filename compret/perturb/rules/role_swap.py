"""Role-swap: who does it and whom it is done to, from where and to where, what is part of what."""

from __future__ import annotations

from compret.perturb.edit import arranged, exchanged
from compret.perturb.grammar import (
    Clause,
    asks,
    asks_yes_or_no,
    inflect,
    is_agent,
    is_plain,
    is_plural,
    is_sure,
    lemma,
    phrase,
    turned,
)
from compret.perturb.tables import listed
from compret.perturb.types import Edits, Random, Range, Span, Token


class RoleSwap:
    category, label, nothing = "role-swap", 0, "no two like phrases in the roles of one verb"

    def apply(self, sent: Span, rng: Random) -> Edits:
        verbs = [t for t in sent if t.pos_ in ("VERB", "AUX") and t.dep_ in ("ROOT", "conj", "ccomp", "advcl")]
        for c in (Clause(t) for t in verbs if is_sure(t)):
            yield from (turned(sent, c, other) for other in _others(sent, c) if _alike(c, other))
        yield from _ways(sent)
        yield _asked(sent)


def _others(sent: Span, c: Clause) -> list[Token]:
    """The phrase that the subject may change places with: the object, the agent, or what the subject is a part of."""
    if c.base == "be":
        nouns = [t for t in c.children if t.dep_ == "attr" and t.lower_ in listed("relational")]
        return [
            o for n in nouns for p in n.children if p.lower_ in ("of", "to") for o in p.children if o.dep_ == "pobj"
        ]
    held = c.has("conj", "xcomp", "ccomp", "dative", "oprd", "preconj", "acl") or c.base in listed("symmetric")
    if held or (asks(sent) and not asks_yes_or_no(sent)):
        return []
    return c.behind("by") if c.passive else [c.object] if c.object is not None else []


def _alike(c: Clause, two: Token) -> bool:
    """Both can act, or the verb holds between things of one kind; no noun stands in both."""
    one = c.subject
    if one is None or c.negated or any(t.lower_ == "only" for head in (one, two) for t in head.subtree):
        return False
    words = [{lemma(t) for t in head.subtree if t.pos_ in ("NOUN", "PROPN")} for head in (one, two)]
    mutual = (c.base in listed("mutual") or c.base == "be") and one.pos_ == two.pos_
    agents = is_agent(one), is_agent(two)
    return (all(agents) or (mutual and agents[0] == agents[1])) and not words[0] & words[1]


def _ways(sent: Span) -> Edits:
    """`from A to B` -> `from B to A`; what ranges from A to B ranges from B to A as well."""
    for start in (t for t in sent if t.lower_ == "from" and t.dep_ == "prep" and lemma(t.head) not in listed("extent")):
        ends = [t for t in start.head.children if t.lower_ == "to" and t.dep_ == "prep" and t.i > start.i]
        nouns = [o for p in (start, *ends[:1]) for o in p.children if o.dep_ == "pobj" and is_plain(o)]
        if len(nouns) == 2 and phrase(nouns[0])[1] == ends[0].i:
            yield exchanged(sent, phrase(nouns[0]), phrase(nouns[1]))


def _asked(sent: Span) -> str | None:
    """`who led the army?` <-> `who did the army lead?`"""
    c, wh = Clause(sent.root), sent[0]
    behind = [t for t in c.children if t.dep_ in ("dobj", "nsubj") and t.i > c.verb.i]  # the parser takes both for one
    other = behind[0] if wh.dep_ == "nsubj" and len(behind) == 1 else c.subject
    held = c.has("conj", "xcomp", "ccomp", "dative", "prt", "oprd", "neg") or wh.lower_ not in ("who", "what")
    if other is None or held or wh.head != c.verb or list(wh.children) or not is_plain(other):
        return None
    if c.base not in listed("mutual") and not (wh.lower_ == "who" and is_agent(other)):
        return None
    (start, end), verb, words = phrase(other), c.verb, [t.lower_ for t in c.auxiliaries]
    parts: list[Range | str | None] = []
    if wh.dep_ == "nsubj" and wh.i + 1 == verb.i == start - 1 and verb.tag_ in ("VBD", "VBZ"):
        do = "did" if verb.tag_ == "VBD" else inflect("do", "VBZ", bool(is_plural(other)))
        parts = [(wh.i, verb.i), do, (start, end), inflect(c.base, "VB"), (end, sent.end)]
    elif wh.dep_ == "dobj" and words in (["did"], ["does"], ["do"]) and end == verb.i:
        parts = [(wh.i, c.finite.i), inflect(c.base, c.finite.tag_), (start, end), (end + 1, sent.end)]
    return arranged(sent, [part for part in parts if part]) if parts and all(parts) else None
