"""What the rules ask of a parse: clauses, noun phrases, number and agreement; inflection by lemminflect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from compret.perturb.tables import listed
from compret.perturb.types import Range, Span, Token


OBJECT = {"i": "me", "he": "him", "she": "her", "we": "us", "they": "them", "it": "it", "you": "you"}
SUBJECT = {form: base for base, form in OBJECT.items()}
THIRD = frozenset("he she it they him her them his its their hers theirs himself herself itself themselves".split())
_UNSURE = frozenset(
    "number lot majority variety couple series species pair none half rest range group set total team family "
    "percent percentage part minority dozen pairs crew staff police data media".split()
)


@lru_cache(maxsize=1 << 14)
def inflect(lemma: str, tag: str) -> str | None:
    """A form by Penn tag; None where there is none."""
    from lemminflect import getInflection

    forms = getInflection(lemma, tag)
    return str(forms[0]) if forms else None


@lru_cache(maxsize=1 << 14)
def _is_form(word: str, base: str, tag: str) -> bool:
    from lemminflect import getInflection

    return not tag.startswith("V") or base in ("be", "have", "do") or word in getInflection(base, tag)


def is_sure(verb: Token) -> bool:
    """Whether a verb's form is the one that its tag says: a guard against words that were tagged wrong."""
    return _is_form(verb.lower_, lemma(verb), verb.tag_)


@lru_cache(maxsize=1 << 14)
def _lemma(word: str, kind: str) -> str:
    from lemminflect import getLemma

    found = getLemma(word, kind)
    return str(found[0]) if found else word


def lemma(token: Token) -> str:
    """The base form of a word."""
    word = {"'s": "be", "'re": "be", "'m": "be", "n't": "not"}.get(token.lower_, token.lower_)
    return _lemma(word, token.pos_ if token.pos_ in ("NOUN", "VERB", "AUX", "ADJ", "ADV") else "NOUN")


def finite(base: str, past: bool, plural: bool) -> str | None:
    """The form of a verb for a subject of the third person."""
    if base == "be":
        return ("is", "are", "was", "were")[2 * past + plural]
    return inflect(base, "VBD" if past else "VBP" if plural else "VBZ")


@dataclass(frozen=True)
class Clause:
    """A verb with its subject, auxiliaries in order, object and negation."""

    verb: Token
    subject: Token | None
    auxiliaries: Sequence[Token]
    object: Token | None
    negation: Token | None
    passive: bool

    @property
    def finite(self) -> Token:
        return self.auxiliaries[0] if self.auxiliaries else self.verb

    @property
    def particle(self) -> Token | None:
        return next((child for child in self.verb.rights if child.dep_ == "prt"), None)

    @property
    def end(self) -> int:
        """Behind the verb and its particle."""
        return (self.particle or self.verb).i + 1


def clause(verb: Token) -> Clause:
    """What hangs on a verb."""
    children = list(verb.children)

    def one(*deps: str) -> Token | None:
        found = [child for child in children if child.dep_ in deps]
        return found[0] if len(found) == 1 else None

    auxiliaries = [child for child in children if child.dep_ in ("aux", "auxpass") and child.i < verb.i]
    passive = any(child.dep_ in ("auxpass", "nsubjpass") for child in children)
    return Clause(verb, one("nsubj", "nsubjpass"), auxiliaries, one("dobj"), one("neg"), passive)


def agreeing(c: Clause, many: bool) -> str | None:
    """The clause's finite word for another subject; None where that is not sure."""
    word = c.finite
    if word.tag_ == "MD" or (word.tag_ == "VBD" and lemma(word) != "be"):
        return word.text
    if word.tag_ not in ("VBZ", "VBP", "VBD") or word.text.startswith(("'", "’")):
        return None
    return finite(lemma(word), word.tag_ == "VBD", many)


def is_agent(head: Token) -> bool:
    """A name, or a noun for those who act."""
    return head.pos_ == "PROPN" or bool({head.lower_, lemma(head)} & listed("agent"))


def has_quotes(sent: Span) -> bool:
    """Whether a sentence quotes: what stands in quotes is not to be moved."""
    return any(token.is_quote for token in sent)


def is_plural(head: Token) -> bool | None:
    """The number of a noun phrase; None where the words alone do not tell."""
    conjuncts = [t for t in head.children if t.dep_ == "conj"]
    if conjuncts:
        return True if all(t.lower_ == "and" for t in head.children if t.dep_ == "cc") else None
    if head.lower_ in _UNSURE or head.lower_ in ("i", "me", "you", "us", "we"):
        return None
    if head.tag_ == "PRP":
        return head.lower_ in ("they", "them")
    return {"NN": False, "NNP": False, "NNS": True, "NNPS": True}.get(head.tag_)


def phrase(head: Token) -> Range:
    """The tokens of a phrase, from its left edge to its right one, without a mark at the end."""
    end = head.right_edge.i + 1
    return head.left_edge.i, end - 1 if head.doc[end - 1].is_punct else end


def is_plain(head: Token | None, longest: int = 10) -> bool:
    """Whether a noun phrase is short and holds no mark, clause or pronoun: one that can be moved as a whole."""
    if head is None or head.pos_ not in ("NOUN", "PROPN") or head.tag_ == "PRP":
        return False
    start, end = phrase(head)
    words = head.doc[start:end]
    return len(words) <= longest and not any(
        word.is_punct or word.tag_ in ("WDT", "WP", "WRB", "PRP", "PRP$", "EX", "VBD", "VBZ", "VBP", "MD", "-LRB-")
        or word.dep_ in ("relcl", "appos", "acl", "advcl", "ccomp", "neg", "parataxis", "dep") for word in words
    )


def asks(sent: Span) -> bool:
    """Whether a sentence is a question, with its mark or without."""
    if sent[-1].text == "?" or any(t.text == "?" for t in sent[-3:]):
        return True
    first, main = sent[0], clause(sent.root)
    inverted = main.subject is not None and main.finite.i < main.subject.i and main.finite.i == sent.start
    return inverted or (first.tag_ in ("WP", "WP$", "WRB", "WDT") and not _in_subordinate(first, sent.root))


def asks_yes_or_no(sent: Span) -> bool:
    """Whether a question begins with its verb."""
    main = clause(sent.root)
    return asks(sent) and main.finite.i == sent.start


def _in_subordinate(token: Token, root: Token) -> bool:
    return any(t.dep_ in ("advcl", "csubj", "csubjpass") for t in (token, *token.ancestors) if t != root)


def final(sent: Span) -> int:
    """The index behind the sentence's last word, before the marks that end it."""
    end = sent.end
    while end > sent.start and (sent.doc[end - 1].is_punct or sent.doc[end - 1].is_space):
        end -= 1
    return end
