"""Scope: what `only`, `not` and `all` hold is changed."""

from __future__ import annotations

from compret.perturb.edit import arranged, replaced
from compret.perturb.grammar import Clause, asks, has_quotes, inflect, is_plain, lemma, phrase
from compret.perturb.tables import listed
from compret.perturb.types import Edits, Random, Skip, Span

_DO = {"VBD": "did", "VBZ": "does", "VBP": "do"}


class Scope:
    category, label, nothing = "scope", 0, "nothing whose scope can be changed"

    def apply(self, sent: Span, rng: Random) -> Edits:
        if asks(sent):
            raise Skip("a question")
        c = Clause(sent.root)
        if c.subject is not None and not c.negated:
            yield _only(sent, c)
            yield _all(sent, c)
            yield _report(sent, c)


def _only(sent: Span, c: Clause) -> str | None:
    """`only A saw B` <-> `A saw only B`."""
    if c.object is None or c.subject is None or not (is_plain(c.subject) and is_plain(c.object)):
        return None
    (a, a_end), (b, _), doc = phrase(c.subject), phrase(c.object), sent.doc
    if any(t.lower_ in ("ever", "any") for t in sent):  # they need the `only` before them
        return None
    if doc[a].lower_ == "only" and a_end > a + 1 and doc[a].head == c.subject:
        return arranged(sent, [(sent.start, a), (a + 1, b), "only", (b, sent.end)])
    back = doc[b].lower_ == "only" and a == sent.start
    return arranged(sent, ["only", (sent.start, b), (b + 1, sent.end)]) if back else None


def _all(sent: Span, c: Clause) -> str | None:
    """`all A are` <-> `not all A are`."""
    words = [t.lower_ for t in sent[:2]]
    if c.subject is None or c.subject.tag_ != "NNS":
        return None
    if words[0] == "all" and sent[0].head == c.subject:
        return arranged(sent, ["not", (sent.start, sent.end)])
    return replaced(sent, {sent.start: ""}) if words == ["not", "all"] else None


def _report(sent: Span, c: Clause) -> str | None:
    """`A said that B did not go` -> `A did not say that B went`."""
    inner = [Clause(t) for t in c.children if t.dep_ == "ccomp" and t.i > c.verb.i]
    nots = [t for i in inner for t in i.children if t.dep_ == "neg" and t.lower_ in ("not", "n't")]
    if len(nots) != 1 or c.auxiliaries or c.base not in listed("reporting") or has_quotes(sent):
        return None
    word, verb = inner[0].finite, inner[0].verb
    if c.verb.tag_ not in _DO or word.lower_ in ("ca", "wo"):
        return None
    new = {c.verb.i: f"{_DO[c.verb.tag_]} not {inflect(c.base, 'VB')}", nots[0].i: ""}
    if lemma(word) == "do":
        new |= {word.i: "", verb.i: inflect(inner[0].base, word.tag_, word.tag_ == "VBP") or verb.text}
    return replaced(sent, new)
