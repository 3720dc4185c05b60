"""What the rules ask of a parse: clauses, noun phrases, number and agreement; inflection by lemminflect."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache

from compret.perturb.edit import exchanged
from compret.perturb.tables import listed
from compret.perturb.types import Range, Span, Token

OBJECT = {"i": "me", "he": "him", "she": "her", "we": "us", "they": "them", "it": "it", "you": "you"}
FINITE = ("VBD", "VBZ", "VBP")
_LONGEST = 10


@lru_cache(maxsize=1 << 14)
def inflected(base: str, tag: str) -> tuple[str, ...]:
    """The forms of a word by Penn tag, the usual one first; none where there is none."""
    from lemminflect import getInflection

    return tuple(getInflection(base, tag))


@lru_cache(maxsize=1 << 14)
def _lemma(word: str, kind: str) -> str:
    from lemminflect import getLemma

    return str((*getLemma(word, kind), word)[0])


def lemma(token: Token) -> str:
    """The base form of a word."""
    word = {"'s": "be", "'re": "be", "'m": "be", "n't": "not"}.get(token.lower_, token.lower_)
    return _lemma(word, token.pos_ if token.pos_ in ("NOUN", "VERB", "AUX", "ADJ", "ADV") else "NOUN")


def inflect(base: str, tag: str, many: bool = False) -> str | None:
    """One form of a verb; `many` is the number of its subject, in the third person."""
    if base == "be" and tag in FINITE:
        return ("is", "are", "was", "were")[2 * (tag == "VBD") + many]
    return next(iter(inflected(base, {True: "VBP", False: "VBZ"}[many] if tag in ("VBZ", "VBP") else tag)), None)


def is_sure(verb: Token) -> bool:
    """Whether a verb's form is the one that its tag says: a guard against words that were tagged wrong."""
    base = lemma(verb)
    return not verb.tag_.startswith("V") or base in ("be", "have", "do") or verb.lower_ in inflected(base, verb.tag_)


class Clause:
    """What hangs on a verb: subject and object (None where there are none or several), auxiliaries, negation."""

    def __init__(self, verb: Token) -> None:
        self.verb, self.base, self.children = verb, lemma(verb), list(verb.children)
        self.subject, self.object = self._one("nsubj", "nsubjpass"), self._one("dobj")
        self.auxiliaries = [t for t in self.children if t.dep_ in ("aux", "auxpass") and t.i < verb.i]
        self.finite: Token = (*self.auxiliaries, verb)[0]
        self.passive, self.negated = self.has("auxpass", "nsubjpass"), self.has("neg")

    def _one(self, *deps: str) -> Token | None:
        found = [t for t in self.children if t.dep_ in deps]
        return found[0] if len(found) == 1 else None

    def has(self, *deps: str) -> bool:
        """Whether a child of the verb is one of these."""
        return any(t.dep_ in deps for t in self.children)

    @cached_property
    def has_subject(self) -> bool:
        return any(t.dep_ in ("nsubj", "nsubjpass", "expl", "csubj") and t.i < self.verb.i for t in self.children)

    @cached_property
    def hangs(self) -> bool:
        """Whether something means the subject without naming it: another verb, `losing it`, `by losing it`."""
        verbs = any(t.dep_ in ("conj", "advcl") and not Clause(t).has_subject for t in self.children)
        return verbs or any(t.dep_ == "pcomp" for p in self.children for t in p.children)

    def behind(self, *prepositions: str) -> list[Token]:
        """The nouns after the prepositions behind the verb."""
        found = [p for p in self.children if p.i > self.verb.i and p.lower_ in prepositions]
        return [t for p in found for t in p.children if t.dep_ == "pobj"]

    def agreeing(self, many: bool) -> str | None:
        """The finite word for another subject; None where that is not sure."""
        tag, base = str(self.finite.tag_), lemma(self.finite)
        if tag == "MD" or (tag == "VBD" and base != "be"):
            return str(self.finite.text)
        return inflect(base, tag, many) if tag in FINITE and self.finite.text[0].isalpha() else None


def turned(
    sent: Span, c: Clause, other: Token | None, new: Mapping[int, str | None] | None = None, before: str = ""
) -> str | None:
    """Subject and another phrase in each other's place, words put in and before the subject; the verb agrees."""
    if c.subject is None or other is None or not (is_plain(c.subject) and is_plain(other)):
        return None
    behind = sent.doc[min(phrase(other)[1], sent.end - 1)]
    many = None if behind.tag_ == "CC" else is_plural(other)
    words = None if many is None else {c.finite.i: c.agreeing(many), **(new or {})}
    if words is None or any(word is None for word in words.values()):
        return None
    return exchanged(sent, phrase(c.subject), phrase(other), words, before)  # type: ignore[arg-type]


def is_agent(head: Token) -> bool:
    """A name, or a noun for those who act."""
    return head.pos_ == "PROPN" or bool({head.lower_, lemma(head)} & listed("agent"))


def is_plural(head: Token) -> bool | None:
    """The number of a noun phrase; None where the words alone do not tell."""
    numbers = {"NN": head.lower_ == "police", "NNP": False, "NNS": True, "NNPS": True, "PRP": head.lower_ == "they"}
    if any(t.dep_ == "conj" for t in head.children):
        return True if all(t.lower_ == "and" for t in head.children if t.dep_ == "cc") else None
    return None if head.lower_ in listed("unsure") else numbers.get(head.tag_)


def phrase(head: Token) -> Range:
    """The tokens of a phrase, from its left edge to its right one, without a mark at the end."""
    end = head.right_edge.i + 1
    return head.left_edge.i, end - 1 if head.doc[end - 1].is_punct else end


def is_plain(head: Token | None) -> bool:
    """Whether a noun phrase is short and holds no mark, clause or pronoun: one that can be moved as a whole."""
    if head is None or head.pos_ not in ("NOUN", "PROPN"):
        return False
    words = head.doc[slice(*phrase(head))]
    held = any(t.is_punct or t.tag_ in listed("held tag") or t.dep_ in listed("held dep") for t in words)
    return len(words) <= _LONGEST and not held


def asks(sent: Span) -> bool:
    """Whether a sentence is a question, with its mark or without."""
    first, root = sent[0], sent.root
    inner = any(t.dep_ in ("advcl", "csubj", "csubjpass") for t in (first, *first.ancestors) if t != root)
    return any(t.text == "?" for t in sent[-3:]) or (first.tag_.startswith("W") and not inner) or _inverted(sent)


def asks_yes_or_no(sent: Span) -> bool:
    """Whether a question begins with its verb."""
    return asks(sent) and Clause(sent.root).finite.i == sent.start


def _inverted(sent: Span) -> bool:
    c = Clause(sent.root)
    return c.subject is not None and sent.start == c.finite.i < c.subject.i


def has_quotes(sent: Span) -> bool:
    """Whether a sentence quotes: what stands in quotes is not to be moved."""
    return any(token.is_quote for token in sent)
