"""Scope: what `only`, `not` and `all` hold is changed."""

from __future__ import annotations


from compret.perturb.edit import arranged, replaced
from compret.perturb.grammar import asks, clause, finite, has_quotes, inflect, is_plain, lemma, phrase
from compret.perturb.tables import listed
from compret.perturb.types import Edits, Random, Skip, Span


class Scope:
    category, label = "scope", 0

    def apply(self, sent: Span, rng: Random) -> Edits:
        made = [] if asks(sent) else [*_only(sent), *_all(sent), *_negated_report(sent)]
        yield from made or [Skip("nothing whose scope can be changed")]


def _only(sent: Span) -> list[str]:
    """`only A saw B` <-> `A saw only B`."""
    c = clause(sent.root)
    if c.subject is None or c.object is None or c.negation or any(t.lower_ in ("ever", "any") for t in sent) or not (is_plain(c.subject) and is_plain(c.object)):
        return []
    (a, a_end), (b, b_end) = phrase(c.subject), phrase(c.object)
    doc = sent.doc
    if doc[a].lower_ == "only" and a_end > a + 1 and doc[a].head == c.subject:
        return [arranged(sent, [(sent.start, a), (a + 1, b), "only", (b, sent.end)])]
    if doc[b].lower_ == "only" and a == sent.start:
        return [arranged(sent, ["only", (sent.start, b), (b + 1, sent.end)])]
    return []


def _all(sent: Span) -> list[str]:
    """`all A are` <-> `not all A are`."""
    c = clause(sent.root)
    if c.subject is None or c.negation or c.subject.tag_ != "NNS":
        return []
    a = phrase(c.subject)[0]
    if a == sent.start and sent[0].lower_ == "all" and sent[0].head == c.subject:
        return [arranged(sent, ["not", (sent.start, sent.end)])]
    if a <= sent.start + 1 and sent[0].lower_ == "not" and sent[1].lower_ == "all":
        return [replaced(sent, {sent.start: ""})]
    return []


def _negated_report(sent: Span) -> list[str]:
    """`A said that B did not go` -> `A did not say that B went`."""
    main = clause(sent.root)
    inner = [clause(t) for t in sent.root.children if t.dep_ == "ccomp" and t.i > sent.root.i]
    if has_quotes(sent) or len(inner) != 1 or inner[0].negation is None or main.auxiliaries or lemma(main.verb) not in listed("reporting"):
        return []
    word, negation = inner[0].finite, inner[0].negation
    if main.negation or main.verb.tag_ not in ("VBD", "VBZ", "VBP") or negation.lower_ not in ("not", "n't"):
        return []
    do = {"VBD": "did", "VBZ": "does", "VBP": "do"}[main.verb.tag_]
    new = {main.verb.i: f"{do} not {inflect(lemma(main.verb), 'VB')}", negation.i: ""}
    if lemma(word) == "do":
        new |= {word.i: "", inner[0].verb.i: finite(lemma(inner[0].verb), word.tag_ == "VBD", word.tag_ == "VBP") or ""}
    return [replaced(sent, new)] if word.lower_ not in ("ca", "wo") else []
