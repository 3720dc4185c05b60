"""Negation: `not` put in, with do-support, or taken out."""

from __future__ import annotations

from collections.abc import Iterator

from compret.perturb.edit import arranged, replaced
from compret.perturb.grammar import Clause, asks, asks_yes_or_no, clause, finite, inflect, is_plural, is_sure, lemma, phrase
from compret.perturb.tables import listed
from compret.perturb.types import Edits, Random, Skip, Span, Token

_CONTRACTED = {"ca": "can", "wo": "will", "sha": "shall"}
_DO = {"VBD": "did", "VBZ": "does", "VBP": "do"}


class Negation:
    category, label = "negation", 0

    def apply(self, sent: Span, rng: Random) -> Edits:
        negations = [token for token in sent if token.dep_ == "neg" and token.lower_ in ("not", "n't", "n’t", "never")]
        if negations:
            yield from (_without(sent, token) for token in negations)
            return
        if sent[0].lower_ == "why":
            yield _why(sent)
            return
        made = [text for c in _targets(sent) if (text := _negated(sent, c)) is not None]
        yield from made[:1] or [Skip("no verb that `not` can safely be put to")]


def _targets(sent: Span) -> Iterator[Clause]:
    """The main verbs, the last of those with one subject first; then the clauses that restrict a noun."""
    root = sent.root
    if _may_be_negated(sent):
        verbs = [root, *(verb for verb in root.conjuncts if verb.pos_ in ("VERB", "AUX"))]
        yield clause(verbs[-1])
        bare = not clause(verbs[-1]).auxiliaries and verbs[-1].tag_ in ("VB", "VBG", "VBN")
        if len(verbs) > 1 and (_has_subject(clause(verbs[1])) or (bare and clause(root).auxiliaries)):
            yield clause(root)
    kinds = ("relcl",) if asks_yes_or_no(sent) else ("relcl", "acl")
    yield from (clause(token) for token in sent if token.dep_ in kinds and token.pos_ in ("VERB", "AUX"))


def _may_be_negated(sent: Span) -> bool:
    """No question, or one whose subject is asked for: a negated yes/no question asks the same."""
    subject = clause(sent.root).subject
    if not asks(sent):
        return True
    wh = subject is not None and any(t.tag_.startswith("W") for t in subject.doc[subject.left_edge.i : subject.i + 1])
    return wh and lemma(sent.root) not in ("be", "do") and subject.i < clause(sent.root).finite.i


def _negated(sent: Span, c: Clause) -> str | None:
    words = {token.lower_ for token in c.verb.children} | {c.verb.lower_}
    if words & listed("positive") or c.verb.lower_ == "let" or "but also" in sent.text.lower():
        return None
    if c.verb.dep_ == "acl":
        return _restricted(sent, c.verb)
    if c.finite.lower_ in ("'s", "’s", "'d", "’d", "better") or (not _has_subject(c) and c.verb.dep_ != "conj"):
        return None
    if c.auxiliaries or lemma(c.verb) == "be":
        word = _before_not(c.finite)
        fits = c.finite.tag_ in ("MD", "VBZ", "VBP", "VBD") and c.finite.i > sent.start and word.i + 1 < sent.end
        return replaced(sent, {word.i: "cannot" if word.lower_ == "can" else f"{word.text} not"}) if fits else None
    return _with_do(sent, c)


def _before_not(word: Token) -> Token:
    """The auxiliary, or the last of the adverbs after it that `not` must follow (`is also not`)."""
    while word.i + 1 < len(word.doc) and word.nbor().lower_ in listed("outer"):
        word = word.nbor()
    return word


def _has_subject(c: Clause) -> bool:
    return any(t.dep_ in ("nsubj", "nsubjpass", "expl", "csubj") and t.i < c.verb.i for t in c.verb.children)


def _why(sent: Span) -> str | Skip:
    """`why did they go?` -> `why did they not go?`"""
    c = clause(sent.root)
    end = 0 if c.subject is None else phrase(c.subject)[1]
    fits = c.finite.i == sent.start + 1 and (c.auxiliaries or lemma(c.verb) == "be") and c.finite.i < end < sent.end - 1
    if not fits or (c.auxiliaries and end > c.verb.i) or {t.lower_ for t in sent} & listed("positive"):
        return Skip("a question of another form")
    return arranged(sent, [(sent.start, end), "not", (end, sent.end)])


def _restricted(sent: Span, verb: Token) -> str | None:
    """`texts written in May` -> `texts not written in May`."""
    behind = sent.doc[verb.i + 1].tag_ if verb.i + 1 < sent.end else ""
    plain = verb.tag_ in ("VBN", "VBG") and verb.i == verb.head.i + 1 and behind in ("IN", "TO")
    named = verb.head.tag_ in ("NNP", "NNPS") or verb.lower_ in ("named", "called", "known", "including", "compared")
    return replaced(sent, {verb.i: f"not {verb.text}"}) if plain and not named else None


def _with_do(sent: Span, c: Clause) -> str | None:
    base, many = inflect(lemma(c.verb), "VB"), None if c.subject is None else is_plural(c.subject)
    sure = {"VBD": True, "VBZ": many is not True, "VBP": many is not False}.get(c.verb.tag_, False)
    if not sure or base is None or not is_sure(c.verb) or (c.verb.dep_ == "conj" and not _shares_tense(c)):
        return None
    do, before = _DO[c.verb.tag_], sent.doc[c.verb.i - 1]
    if c.verb.i > sent.start and before.dep_ == "advmod" and before.head == c.verb and before.lower_ not in listed("outer"):
        return arranged(sent, [(sent.start, before.i), f"{do} not", (before.i, sent.end)], {c.verb.i: base})
    return replaced(sent, {c.verb.i: f"{do} not {base}"})


def _shares_tense(c: Clause) -> bool:
    first = clause(c.verb.head)
    return c.subject is not None or (not first.auxiliaries and first.verb.tag_ == c.verb.tag_)


def _without(sent: Span, negation: Token) -> str | Skip:
    c = clause(negation.head)
    if asks(sent) and not _may_be_negated(sent):
        return Skip("a negated question")
    around = {token.lower_ for token in c.verb.subtree} | {token.lower_ for token in sent[-2:]}
    if around & listed("polarity") or c.verb.pos_ not in ("VERB", "AUX") or c.finite.tag_ == "TO":
        return Skip("the negation holds more than its verb")
    new, word = {negation.i: ""}, c.finite
    if c.auxiliaries and lemma(word) == "do" and len(c.auxiliaries) == 1 and word.tag_ in _DO:
        form = finite(lemma(c.verb), word.tag_ == "VBD", word.tag_ == "VBP")
        new |= {word.i: "", c.verb.i: form or c.verb.text}
    elif word.lower_ in _CONTRACTED:
        new[word.i] = _CONTRACTED[word.lower_]
    elif not c.auxiliaries and lemma(word) != "be" and negation.lower_ != "never":
        return Skip("a negation without an auxiliary")
    return replaced(sent, new)
