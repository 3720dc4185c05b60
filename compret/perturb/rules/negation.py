"""Negation: `not` put in, with do-support, or taken out."""

from __future__ import annotations

from collections.abc import Iterator

from compret.perturb.edit import arranged, replaced
from compret.perturb.grammar import FINITE, Clause, asks, asks_yes_or_no, inflect, is_plural, is_sure, lemma, phrase
from compret.perturb.tables import listed
from compret.perturb.types import Edits, Random, Span, Token

_CONTRACTED = {"ca": "can", "wo": "will", "sha": "shall"}
_DO = {"VBD": "did", "VBZ": "does", "VBP": "do"}


class Negation:
    category, label, nothing = "negation", 0, "no verb that `not` can safely be put to"

    def apply(self, sent: Span, rng: Random) -> Edits:
        negations = [t for t in sent if t.dep_ == "neg" and t.lower_ in ("not", "n't", "n’t", "never")]
        made = [text for token in negations if (text := _without(sent, token))]
        if made or sent[0].lower_ == "why":
            yield from made if made else (_why(sent),)
        else:
            yield from [text for c in _targets(sent) if (text := _negated(sent, c))][:1]


def _targets(sent: Span) -> Iterator[Clause]:
    """The main verbs, the last of those with one subject first; then the clauses that restrict a noun."""
    if _may_be_negated(sent):
        first, *others = [Clause(t) for t in (sent.root, *sent.root.conjuncts) if t.pos_ in ("VERB", "AUX")]
        last = (first, *others)[-1]
        yield last
        if others and (others[0].has_subject or (first.auxiliaries and not last.auxiliaries)):
            yield first
    kinds = ("relcl",) if asks_yes_or_no(sent) else ("relcl", "acl")
    yield from (Clause(token) for token in sent if token.dep_ in kinds and token.pos_ in ("VERB", "AUX"))


def _may_be_negated(sent: Span) -> bool:
    """No question, or one whose subject is asked for: a negated yes/no question asks the same."""
    c = Clause(sent.root)
    if not asks(sent) or c.subject is None:
        return not asks(sent)
    wh = any(t.tag_.startswith("W") for t in sent.doc[c.subject.left_edge.i : c.subject.i + 1])
    return wh and c.base not in ("be", "do") and c.subject.i < c.finite.i


def _negated(sent: Span, c: Clause) -> str | None:
    words = {t.lower_ for child in (c.verb, *c.children) for t in (child, *child.lefts)}
    told = c.base in listed("reporting") and any(t.dep_ == "ccomp" and t.i < c.verb.i for t in c.children)
    if told or words & listed("positive") or "but also" in sent.text.lower():
        return None
    if c.verb.dep_ == "acl":
        return _restricted(sent, c.verb)
    if not c.finite.text[0].isalpha() or not (c.has_subject or c.verb.dep_ == "conj"):
        return None
    return _after_auxiliary(sent, c) if c.auxiliaries or c.base == "be" else _with_do(sent, c)


def _restricted(sent: Span, verb: Token) -> str | None:
    """`texts written in May` -> `texts not written in May`."""
    plain = verb.tag_ in ("VBN", "VBG") and verb.i == verb.head.i + 1 and verb.i + 1 < sent.end
    named = verb.head.tag_ in ("NNP", "NNPS") or verb.lower_ in ("named", "called", "known", "including", "compared")
    fits = plain and not named and is_sure(verb) and sent.doc[verb.i + 1].tag_ in ("IN", "TO")
    return replaced(sent, {verb.i: f"not {verb.text}"}) if fits else None


def _after_auxiliary(sent: Span, c: Clause) -> str | None:
    word = c.finite
    while word.i + 1 < sent.end and word.nbor().lower_ in listed("outer"):
        word = word.nbor()
    inverted = c.finite.i == sent.start or (c.subject is not None and c.subject.i > c.finite.i)
    fits = c.finite.tag_ in ("MD", *FINITE) and not inverted and word.i + 1 < sent.end
    return replaced(sent, {word.i: "cannot" if word.lower_ == "can" else f"{word.text} not"}) if fits else None


def _with_do(sent: Span, c: Clause) -> str | None:
    many, first = c.subject is not None and is_plural(c.subject), Clause(c.verb.head)
    sure = {"VBD": True, "VBZ": many is not True, "VBP": many is not False or c.subject is None}.get(c.verb.tag_)
    joined = sent.doc[c.verb.left_edge.i - 1].tag_ in ("CC", ",")
    shared = joined and not first.auxiliaries and first.verb.tag_ == c.verb.tag_
    same = c.verb.dep_ != "conj" or c.subject is not None or shared
    base = inflect(c.base, "VB")
    if not (sure and base and same and is_sure(c.verb)):
        return None
    do, before = _DO[c.verb.tag_], sent.doc[max(sent.start, c.verb.i - 1)]
    if before.dep_ == "advmod" and before.head == c.verb and before.lower_ not in listed("outer"):
        return arranged(sent, [(sent.start, before.i), f"{do} not", (before.i, sent.end)], {c.verb.i: base})
    return replaced(sent, {c.verb.i: f"{do} not {base}"})


def _why(sent: Span) -> str | None:
    """`why did they go?` -> `why did they not go?`"""
    c = Clause(sent.root)
    end = 0 if c.subject is None else phrase(c.subject)[1]
    fits = c.finite.i == sent.start + 1 < end < sent.end - 1 and (c.auxiliaries or c.base == "be")
    if not fits or (c.auxiliaries and end > c.verb.i) or {t.lower_ for t in sent} & listed("positive"):
        return None
    return arranged(sent, [(sent.start, end), "not", (end, sent.end)])


def _without(sent: Span, negation: Token) -> str | None:
    c, new = Clause(negation.head), {negation.i: ""}
    word, around = c.finite, {token.lower_ for token in (*c.verb.subtree, *sent[-2:])}
    held = around & listed("polarity") or c.verb.pos_ not in ("VERB", "AUX") or word.tag_ == "TO"
    if held or not _may_be_negated(sent):
        return None
    if len(c.auxiliaries) == 1 and lemma(word) == "do" and word.tag_ in _DO:
        new |= {word.i: "", c.verb.i: inflect(c.base, word.tag_, word.tag_ == "VBP") or c.verb.text}
    elif word.lower_ in _CONTRACTED:
        new[word.i] = _CONTRACTED[word.lower_]
    elif not c.auxiliaries and c.base != "be" and negation.lower_ != "never":
        return None
    return replaced(sent, new)
