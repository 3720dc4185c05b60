"""Voice: active to passive, passive to active, and `made by A` to `that A made`."""

from __future__ import annotations

from compret.perturb.edit import arranged
from compret.perturb.grammar import (
    FINITE,
    OBJECT,
    Clause,
    asks,
    has_quotes,
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
from compret.perturb.types import Edits, Random, Range, Skip, Span, Token

_BE = {"is": "VBZ", "are": "VBZ", "was": "VBD", "were": "VBD", "be": "VB", "been": "VBN", "being": "VBG"}


class Passive:
    category, label, nothing = "passive", 1, "no plain verb between two plain phrases"

    def apply(self, sent: Span, rng: Random) -> Edits:
        if asks(sent) or has_quotes(sent):
            raise Skip("a question or a quotation")
        for c in (Clause(t) for t in sent if t.pos_ == "VERB" and is_sure(t)):
            if c.verb.dep_ == "acl":
                yield _reduced(sent, c)
            elif c.verb.dep_ in ("ROOT", "conj", "ccomp", "advcl") and not _is_held(c):
                yield _active(sent, c) if c.passive else _passive(sent, c)


def _is_held(c: Clause) -> bool:
    return c.hangs or c.has("xcomp", "ccomp", "dative", "oprd", "csubj", "preconj", "neg", "prt", "expl")


def _is_bare(head: Token) -> bool:
    """A plain phrase, not a noun alone (`set sail`), without a quantifier, whose scope another voice would change."""
    words = [t.lower_ for t in head.subtree]
    return is_plain(head) and (len(words) > 1 or head.tag_ != "NN") and not set(words) & listed("quantifier")


def _passive(sent: Span, c: Clause) -> str | None:
    """`A built B in May` -> `B was built by A in May`."""
    if c.subject is None or c.object is None or not (_is_bare(c.subject) and _is_bare(c.object)):
        return None
    (b, end), kinds, many = phrase(c.object), [lemma(t) for t in c.auxiliaries], is_plural(c.object)
    together = phrase(c.subject)[1] == c.finite.i and b == c.verb.i + 1 and sent.doc[min(end, sent.end - 1)].text != ","
    if not together or many is None or c.base in listed("stative") or kinds[1:] or kinds == ["do"]:
        return None
    be = {"have": "been", "be": "being"}.get(kinds[0], "be") if kinds else inflect("be", c.verb.tag_, many)
    participle = inflect(c.base, "VBN")
    fits = be and participle and (kinds or c.verb.tag_ in FINITE)
    return turned(sent, c, c.object, {c.verb.i: f"{be} {participle}"}, "by") if fits else None


def _agent(c: Clause) -> Token | None:
    found = c.behind("by")
    return found[0] if len(found) == 1 and found[0].head.dep_ == "agent" and _is_bare(found[0]) else None


def _active(sent: Span, c: Clause) -> str | None:
    """`B was built in May by A` -> `A built B in May`."""
    agent, words = _agent(c), [t.lower_ for t in c.auxiliaries]
    many = None if agent is None else is_plural(agent)
    if agent is None or c.subject is None or many is None or len(words) not in (1, 2) or words[-1] not in _BE:
        return None
    (a, a_end), (b, b_end), by = phrase(agent), phrase(c.subject), agent.head.i
    if b_end != c.finite.i or not (_is_bare(c.subject) or c.subject.lower_ in OBJECT):
        return None
    new = {c.finite.i: c.agreeing(many), c.auxiliaries[-1].i: "", c.verb.i: inflect(c.base, _BE[words[-1]], many)}
    patient: Range | str = OBJECT.get(c.subject.lower_, "") or (b, b_end)
    parts = [(sent.start, b), (a, a_end), (b_end, c.verb.i + 1), patient, (c.verb.i + 1, by), (a_end, sent.end)]
    known = {i: word for i, word in new.items() if word is not None}
    return arranged(sent, parts, known) if known == new else None


def _reduced(sent: Span, c: Clause) -> str | None:
    """`games made by A` -> `games that A made`, for verbs that tell of one event."""
    agent, verb, form = _agent(c), c.verb, inflect(c.base, "VBD")
    if agent is None or form is None or c.base not in listed("made") or not is_agent(agent) or c.has("conj"):
        return None
    plain = verb.head.i + 1 == verb.i == agent.head.i - 1 and verb.head.tag_ in ("NN", "NNS")
    a, a_end = phrase(agent)
    plain = plain and not any(t.tag_ == "CC" for t in sent.doc[a_end : a_end + 2])
    return arranged(sent, [(sent.start, verb.i), "that", (a, a_end), form, (a_end, sent.end)]) if plain else None
