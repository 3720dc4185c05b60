"""Voice: active to passive, passive to active, and `made by A` to `that A made`."""

from __future__ import annotations

from compret.perturb.edit import arranged
from compret.perturb.grammar import (
    OBJECT, Clause, agreeing, asks, clause, finite, has_quotes, inflect, is_agent, is_plain, is_plural, is_sure, lemma, phrase,
)
from compret.perturb.tables import listed
from compret.perturb.types import Edits, Random, Range, Skip, Span, Token

_QUANTIFIERS = frozenset("no all every each some any many few most several both only just also".split())
_HELD = ("xcomp", "ccomp", "dative", "oprd", "csubj", "preconj", "neg", "prt", "expl", "agent")


class Passive:
    category, label = "passive", 1

    def apply(self, sent: Span, rng: Random) -> Edits:
        if asks(sent) or has_quotes(sent):
            yield Skip("a question or a quotation")
            return
        verbs = [t for t in sent if t.pos_ == "VERB" and is_sure(t)]
        made = [_passive(sent, clause(t)) if not clause(t).passive else _active(sent, clause(t)) for t in verbs]
        made += [_reduced(sent, t) for t in verbs if t.dep_ == "acl" and t.tag_ == "VBN"]
        yield from [text for text in made if text] or [Skip("no plain verb between two plain phrases")]


def _is_simple(c: Clause) -> bool:
    """A verb of its own with its own subject, and nothing that a change of voice would leave hanging."""
    deps = {t.dep_ for t in c.verb.children if t.dep_ != "agent" or not c.passive}
    shared = any(t.dep_ == "conj" and clause(t).subject is None for t in c.verb.children)
    loose = any(t.dep_ == "advcl" and clause(t).subject is None for t in c.verb.children)
    loose = loose or any(t.dep_ == "pcomp" and t.head.lower_ != "for" for p in c.verb.children for t in p.children)
    return c.verb.dep_ in ("ROOT", "conj", "ccomp", "advcl") and not deps & set(_HELD) and not shared and not loose


def _is_bare(head: Token) -> bool:
    """A plain phrase without a quantifier, whose scope another voice would change."""
    words = list(head.subtree)
    named = len(words) > 1 or head.tag_ != "NN"
    return is_plain(head) and named and not {t.lower_ for t in words} & _QUANTIFIERS


def _passive(sent: Span, c: Clause) -> str | None:
    """`A built B in May` -> `B was built by A in May`."""
    if c.subject is None or c.object is None or not _is_simple(c) or lemma(c.verb) in listed("stative"):
        return None
    group = _passive_group(c)
    (a, a_end), (b, b_end) = phrase(c.subject), phrase(c.object)
    adjacent = a_end == c.finite.i and b == c.verb.i + 1 and sent.doc[min(b_end, sent.end - 1)].text != ","
    if group is None or not adjacent or not (_is_bare(c.subject) and _is_bare(c.object)):
        return None
    parts: list[Range | str] = [(sent.start, a), (b, b_end), (c.finite.i, b), "by", (a, a_end), (b_end, sent.end)]
    return arranged(sent, parts, group)


def _passive_group(c: Clause) -> dict[int, str] | None:
    """New words for the verb and its first auxiliary."""
    assert c.object is not None
    many, participle = is_plural(c.object), inflect(lemma(c.verb), "VBN")
    kinds = [lemma(t) for t in c.auxiliaries]
    if many is None or participle is None or "do" in kinds or len(kinds) > 1:
        return None
    if not kinds:
        simple = c.verb.tag_ in ("VBD", "VBZ", "VBP")
        return {c.verb.i: f"{finite('be', c.verb.tag_ == 'VBD', many)} {participle}"} if simple else None
    first, be = agreeing(c, many), {"have": "been", "be": "being"}.get(kinds[0], "be")
    return {c.finite.i: first, c.verb.i: f"{be} {participle}"} if first else None


def _agent(verb: Token) -> Token | None:
    by = [t for t in verb.children if t.dep_ == "agent" and t.lower_ == "by"]
    agents = [t for t in by[0].children if t.dep_ == "pobj"] if len(by) == 1 else []
    return agents[0] if len(agents) == 1 and by[0].i > verb.i and _is_bare(agents[0]) else None


def _active(sent: Span, c: Clause) -> str | None:
    """`B was built in May by A` -> `A built B in May`."""
    agent = _agent(c.verb)
    if agent is None or c.subject is None or not _is_simple(c):
        return None
    group = _active_group(c, agent)
    (a, a_end), (b, b_end) = phrase(agent), phrase(c.subject)
    if group is None or b_end != c.finite.i or not (_is_bare(c.subject) or c.subject.lower_ in OBJECT):
        return None
    patient: Range | str = OBJECT.get(c.subject.lower_, "") or (b, b_end)
    by, end = agent.head.i, c.verb.i + 1
    return arranged(sent, [(sent.start, b), (a, a_end), (b_end, end), patient, (end, by), (a_end, sent.end)], group)


def _active_group(c: Clause, agent: Token) -> dict[int, str] | None:
    many, words = is_plural(agent), [t.lower_ for t in c.auxiliaries]
    if many is None or not words or words[-1] not in ("is", "are", "was", "were", "be", "been", "being"):
        return None
    base, last = lemma(c.verb), c.auxiliaries[-1]
    if len(words) == 1:
        form = finite(base, words[0] in ("was", "were"), many)
        return {last.i: "", c.verb.i: form} if form else None
    first, form = agreeing(c, many), inflect(base, {"be": "VB", "been": "VBN", "being": "VBG"}[words[-1]])
    return {c.finite.i: first, last.i: "", c.verb.i: form} if first and form and len(words) == 2 else None


def _reduced(sent: Span, verb: Token) -> str | None:
    """`games made by A` -> `games that A made`, for verbs that tell of one event."""
    agent, form = _agent(verb), inflect(lemma(verb), "VBD")
    if agent is None or form is None or lemma(verb) not in listed("made") or not is_agent(agent):
        return None
    plain = verb.head.i + 1 == verb.i and verb.head.tag_ in ("NN", "NNS") and agent.head.i == verb.i + 1
    (a, a_end), conjoined = phrase(agent), any(t.dep_ == "conj" for t in verb.children)
    parts: list[Range | str] = [(sent.start, verb.i), "that", (a, a_end), form, (a_end, sent.end)]
    return arranged(sent, parts) if plain and not conjoined else None
