"""Role-swap: who does it and whom it is done to, from where and to where, what is part of what."""

from __future__ import annotations


from compret.perturb.edit import arranged, exchanged
from compret.perturb.grammar import Clause, agreeing, asks, clause, asks_yes_or_no, finite, inflect, is_agent, is_plain, is_plural, is_sure, lemma, phrase
from compret.perturb.tables import listed
from compret.perturb.types import Edits, Random, Skip, Span, Token


class RoleSwap:
    category, label = "role-swap", 0

    def apply(self, sent: Span, rng: Random) -> Edits:
        clauses = [clause(t) for t in sent if t.pos_ in ("VERB", "AUX") and is_sure(t) and t.dep_ in ("ROOT", "conj", "ccomp", "advcl")]
        made = [text for c in clauses for other in _others(sent, c) if (text := _swapped(sent, c, other))]
        yield from [*made, *_ways(sent), *_asked(sent)] or [Skip("no two like phrases in the roles of one verb")]


def _others(sent: Span, c: Clause) -> list[Token]:
    """The phrase that the subject may change places with: the object, the agent, or what the subject is a part of."""
    if c.subject is None or c.negation is not None:
        return []
    if lemma(c.verb) == "be":
        nouns = [t for t in c.verb.children if t.dep_ == "attr" and t.lower_ in listed("relational")]
        return [o for n in nouns for p in n.children if p.lower_ in ("of", "to") for o in p.children if o.dep_ == "pobj"]
    held = any(t.dep_ in ("conj", "xcomp", "ccomp", "dative", "oprd", "preconj", "acl") for t in c.verb.children)
    if held or (asks(sent) and not asks_yes_or_no(sent)) or lemma(c.verb) in listed("symmetric"):
        return []
    agents = [o for p in c.verb.children if p.dep_ == "agent" for o in p.children if o.dep_ == "pobj"]
    return agents if c.passive else [c.object] if c.object is not None else []


def _swapped(sent: Span, c: Clause, other: Token) -> str | None:
    if c.subject is None or not (is_plain(c.subject) and is_plain(other)) or not _alike(c.verb, c.subject, other):
        return None
    many, form = is_plural(other), None
    if many is not None:
        form = agreeing(c, many)
    return exchanged(sent, phrase(c.subject), phrase(other), {c.finite.i: form}) if form else None


def _alike(verb: Token, one: Token, two: Token) -> bool:
    """Both can act, or the verb holds between things of one kind; no noun stands in both."""
    words = [{lemma(t) for t in head.subtree if t.pos_ in ("NOUN", "PROPN")} for head in (one, two)]
    if any(t.lower_ == "only" for head in (one, two) for t in head.subtree):
        return False
    whole = lemma(verb) in listed("mutual") or lemma(verb) == "be"
    kind = (is_agent(one) and is_agent(two)) or (whole and one.pos_ == two.pos_ and is_agent(one) == is_agent(two))
    return kind and not words[0] & words[1]


def _asked(sent: Span) -> list[str]:
    """`who led the army?` <-> `who did the army lead?`"""
    c, wh = clause(sent.root), sent[0]
    plain = wh.lower_ in ("who", "what") and wh.head == c.verb and len(list(wh.children)) == 0 and not c.negation
    if not plain or any(t.dep_ in ("conj", "xcomp", "ccomp", "dative", "prt", "oprd") for t in c.verb.children):
        return []
    whole, verb = lemma(c.verb) in listed("mutual"), c.verb
    if wh.dep_ == "nsubj" and c.object is not None and verb.i == wh.i + 1 and verb.tag_ in ("VBD", "VBZ"):
        start, end = phrase(c.object)
        fits = is_plain(c.object) and start == verb.i + 1 and (whole or (wh.lower_ == "who" and is_agent(c.object)))
        many = is_plural(c.object)
        do = "did" if verb.tag_ == "VBD" else "do" if many else "does"
        parts = [(wh.i, verb.i), do, (start, end), inflect(lemma(verb), "VB") or "", (end, sent.end)]
        return [arranged(sent, parts)] if fits and (many is not None or do == "did") else []
    if wh.dep_ == "dobj" and c.subject is not None and [t.lower_ for t in c.auxiliaries] in (["did"], ["does"], ["do"]):
        start, end = phrase(c.subject)
        fits = is_plain(c.subject) and (whole or (wh.lower_ == "who" and is_agent(c.subject))) and end == verb.i
        form = finite(lemma(verb), c.finite.lower_ == "did", False)
        return [arranged(sent, [(wh.i, c.finite.i), form, (start, end), (verb.i + 1, sent.end)])] if fits and form else []
    return []


def _ways(sent: Span) -> list[str]:
    """`from A to B` -> `from B to A`."""
    made = []
    for start in (t for t in sent if t.lower_ == "from" and t.dep_ == "prep"):
        ends = [t for t in start.head.children if t.lower_ == "to" and t.dep_ == "prep" and t.i > start.i]
        nouns = [[o for o in p.children if o.dep_ == "pobj"] for p in (start, *ends[:1])]
        if len(nouns) == 2 and all(len(n) == 1 and is_plain(n[0]) for n in nouns) and phrase(nouns[0][0])[1] == ends[0].i:
            made.append(exchanged(sent, phrase(nouns[0][0]), phrase(nouns[1][0])))
    return made
