"""Converse: the same relation told from its other side, by verbs (sell, buy) and by comparatives and directions."""

from __future__ import annotations


from compret.perturb.edit import arranged
from compret.perturb.grammar import Clause, agreeing, asks, clause, finite, inflect, is_agent, is_plain, is_plural, lemma, phrase
from compret.perturb.tables import table
from compret.perturb.types import Edits, Random, Skip, Span, Token


class Converse:
    category, label = "converse", 1

    def apply(self, sent: Span, rng: Random) -> Edits:
        c = clause(sent.root)
        if asks(sent) or c.negation or c.passive or c.subject is None or not is_plain(c.subject):
            yield Skip("a question, a negation or no plain subject")
            return
        held = ("conj", "xcomp", "ccomp", "dative", "advcl", "pcomp")
        if any(t.dep_ in held for child in c.verb.children for t in (child, *child.children) if child.dep_ in (*held, "prep")):
            yield Skip("more than one verb or object")
            return
        yield from [*_verbs(sent, c), *_predicates(sent, c)] or [Skip("no word that has a converse")]


def _verbs(sent: Span, c: Clause) -> list[str]:
    made = []
    for name in ("converse", "converse3"):
        for entry in table(name).get(lemma(c.verb), ()):
            preposition = entry.words[1] if len(entry.words) > 1 else ""
            other = _object_of(c, preposition) if preposition else c.object
            three = name == "converse3"
            fits = _are_agents(c, other) if three else not (preposition and c.object)
            if other is not None and is_plain(other) and fits:
                made += _turned(sent, c, other, preposition, entry.other)
    return made


def _are_agents(c: Clause, other: Token | None) -> bool:
    """Whether a thing goes from someone to someone; `give rise to` is no gift."""
    thing = c.object
    real = thing is not None and (thing.tag_ != "NN" or any(t.dep_ in ("det", "poss", "amod") for t in thing.children))
    return real and other is not None and c.subject is not None and is_agent(other) and is_agent(c.subject)


def _turned(sent: Span, c: Clause, other: Token, preposition: str, words: str) -> list[str]:
    """Subject and other phrase in each other's place, the verb and its preposition replaced."""
    assert c.subject is not None
    base, *rest = words.split()
    many = is_plural(other)
    form = None if many is None else _form(c, base, many)
    (a, a_end), (b, b_end) = phrase(c.subject), phrase(other)
    behind = sent.doc[min(b_end, sent.end - 1)]
    if form is None or a_end != c.finite.i or behind.tag_ == "VBG":
        return []
    new = {c.verb.i: form}
    if c.auxiliaries:
        new[c.finite.i] = agreeing(c, bool(many)) or c.finite.text
    if not preposition:
        return [arranged(sent, [(sent.start, a), (b, b_end), (a_end, b), *rest, (a, a_end), (b_end, sent.end)], new)]
    end = b - 1
    return [arranged(sent, [(sent.start, a), (b, b_end), (a_end, end), *rest, (a, a_end), (b_end, sent.end)], new)]


def _form(c: Clause, base: str, many: bool) -> str | None:
    if c.auxiliaries:
        return inflect(base, c.verb.tag_)
    return finite(base, c.verb.tag_ == "VBD", many) if c.verb.tag_ in ("VBD", "VBZ", "VBP") else None


def _object_of(c: Clause, preposition: str) -> Token | None:
    found = [o for p in c.verb.children if p.lower_ == preposition and p.i > c.verb.i for o in p.children if o.dep_ == "pobj"]
    return found[0] if len(found) == 1 and phrase(found[0])[0] == found[0].head.i + 1 else None


def _predicates(sent: Span, c: Clause) -> list[str]:
    """`A is larger than B` -> `B is smaller than A`."""
    if lemma(c.verb) != "be" or c.subject is None or phrase(c.subject)[1] != c.finite.i:
        return []
    at = c.verb.i + 1
    for entry in table("converse_be").get(sent.doc[at].lower_ if at < sent.end else "", ()):
        end = at + len(entry.words)
        others = [o for t in sent.doc[at:end] for o in t.children if o.dep_ == "pobj" and phrase(o)[0] == end]
        if tuple(t.lower_ for t in sent.doc[at:end]) == entry.words and others and is_plain(others[0]):
            (a, a_end), (b, b_end) = phrase(c.subject), phrase(others[0])
            form = None if (many := is_plural(others[0])) is None else agreeing(c, many)
            parts = [(sent.start, a), (b, b_end), (a_end, at), entry.other, (a, a_end), (b_end, sent.end)]
            return [arranged(sent, parts, {c.finite.i: form})] if form else []
    return []
