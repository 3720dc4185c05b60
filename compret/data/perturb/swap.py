"""The two arguments of a verb, a comparison or a relation change places: convert X to Y, X is greater than Y."""

from __future__ import annotations

import re
from collections.abc import Iterator

from compret.data.perturb.phrases import (
    BE,
    DETERMINERS,
    PREPOSITIONS,
    clause_start,
    is_plural,
    noun_phrase,
    subject_phrase,
)
from compret.data.perturb.sentence import CODE, Sentence, decapitalised, normalised
from compret.data.perturb.verbs import GERUND, LEMMA, PARTICIPLE, PAST, THIRD, VERBS

_ORDINAL = re.compile(r"\d(?:st|nd|rd|th)$")
Span = tuple[int, int]

# Verbs of two arguments, by the words that bring in the second; none of them means the same the other way round.
_GOVERNED = {
    verb: tuple(words.split("|"))
    for entry in """
    convert:to|into cast:to|into transform:to|into translate:to|into turn:into coerce:to|into map:to|into|onto
    copy:to|into move:to|into|onto|under rename:to change:to|into promote:to expand:to|into decode:to|into
    encode:to|into serialize:to|into parse:to|into compile:to|into rewrite:to|into reduce:to lower:to fold:into
    inline:into replace:with|by substitute:for|with|by prefer:over|to append:to prepend:to
    insert:into|in|before|after embed:in|into write:to|into send:to load:into|onto save:to|in store:in|into
    put:into|in|on dump:to|into upload:to assign:to pass:to subtract:from remove:from delete:from extract:from
    strip:from divide:by wrap:in|with|around cover:with prefix:with pad:with fill:with project:onto|on|to
    inject:into attach:to delegate:to forward:to redirect:to dispatch:to broadcast:to transfer:to export:to bind:to
    scatter:to|into copy_of:to apply:to split:into use:instead_of return:instead_of raise:instead_of call:instead_of
    """.split()
    for verb, words in [entry.split(":")]
}
_PLACED = ("instead of", "rather than")
_SCALE = frozenset(
    """greater less larger smaller bigger longer shorter higher lower older newer younger earlier later faster slower
    taller wider deeper heavier lighter stronger weaker better worse cheaper narrower closer broader richer""".split()
)
_KINDS = frozenset(
    """subclass subset superset subtype supertype child parent ancestor descendant prefix suffix substring subsequence
    member part instance superclass divisor multiple factor father mother son daughter successor predecessor owner
    subgroup subgraph subspace subpath submodule base proxy alias wrapper""".split()
)
_PLACES = {
    words[0]: words
    for phrase in "on top of|in front of|above|below|behind|under|underneath|beneath|inside|outside".split("|")
    for words in [tuple(phrase.split())]
}
_SIDES = tuple(tuple(f"{where} the {side} of".split()) for where in ("to", "on") for side in ("left", "right"))
_ACTIONS = frozenset(
    """contain include precede follow override wrap extend exceed own invoke replace imply shadow dominate cover
    divide import inherit depend reference hold ride chase bite push pull carry watch defeat beat hit kick hug kiss feed
    attack hug hunt overtake catch teach surround support enclose consume produce""".split()
)
_HEAD_OF_RANGE = frozenset(
    """distance distances difference range ranges interpolation interpolate ranging transition everything anything path
    paths interval vary varies edge edges angle""".split()
)
_PICTURES = frozenset("shot photo photograph picture image view closeup close-up pair group couple".split())
_TAKES_TO = frozenset(
    """call calls access connection reference references link conversion addition relation respect pointer path paths
    request requests response changes change""".split()
)
_VAGUE = frozenset(
    """mode uppercase lowercase stdout stderr disk memory time place zero one date case scratch left right default true
    false none use order account work be me you us""".split()
)


def swapped(s: Sentence) -> Iterator[str]:
    """The text with two arguments exchanged."""
    for index, low in enumerate(s.low):
        lemma = LEMMA.get(low, "")
        if lemma in _GOVERNED:
            yield from _objects(s, index, _GOVERNED[lemma])
        if low == "from":
            yield from _range(s, index)
        elif low == "than" and s.at(index - 1) in _SCALE and s.at(index - 2) in BE:
            yield from _sides(s, index - 2, index + 1, agree=True)
        elif (
            low == "of"
            and s.at(index - 1) in _KINDS
            and s.at(index - 3) in BE
            and s.at(index - 2) in ("a", "an", "the")
        ):
            yield from _sides(s, index - 3, index + 1, agree=True)
        elif low == "by" and s.at(index - 1) in PARTICIPLE and s.at(index - 2) in BE:
            yield from _agent(s, index)
        elif lemma in _ACTIONS:
            yield from _subject_and_object(s, index, lemma)
        if low in _PLACES or low == "to":
            yield from _placed(s, index)


def _objects(s: Sentence, verb: int, words: tuple[str, ...]) -> Iterator[str]:
    """Verb X preposition Y -> verb Y preposition X."""
    if s.at(verb) in PARTICIPLE and s.at(verb - 1) in BE | DETERMINERS | PREPOSITIONS:
        return
    middle = noun_phrase(s, verb + 1, closed=False)
    if middle is None:
        return
    for word in words:
        parts = tuple(word.split("_"))
        start = middle + len(parts)
        if s.low[middle:start] == parts:
            end = noun_phrase(s, start)
            if end is not None:
                yield from _exchange(s, (verb + 1, middle), (start, end))


def _range(s: Sentence, index: int) -> Iterator[str]:
    """from X to Y -> from Y to X, not of a distance, which is the same both ways."""
    if set(s.low[max(0, index - 4) : index]) & _HEAD_OF_RANGE:
        return
    middle = noun_phrase(s, index + 1, closed=False)
    if middle is None or s.at(middle) not in ("to", "into", "onto") or s.at(middle - 1) in _TAKES_TO:
        return
    end = noun_phrase(s, middle + 1)
    if end is not None:
        yield from _exchange(s, (index + 1, middle), (middle + 1, end))


def _sides(s: Sentence, left_end: int, right: int, agree: bool) -> Iterator[str]:
    """X is greater than Y -> Y is greater than X: X ends at `left_end`, Y starts at `right`."""
    start, end = subject_phrase(s, left_end), noun_phrase(s, right)
    if start is None or end is None:
        return
    if agree and is_plural(s, start, left_end) != is_plural(s, right, end):
        return
    if not agree and s.at(left_end - 1) in LEMMA and s.at(left_end) not in PAST:
        return
    if set(s.low[start:left_end]) & _PICTURES:
        return
    if s.opens(start) and s.at(start) in VERBS and s.at(left_end) not in BE:
        return
    yield from _exchange(s, (start, left_end), (right, end))


def _agent(s: Sentence, index: int) -> Iterator[str]:
    """X is called by Y -> Y is called by X."""
    if s.at(index + 1) in GERUND or s.at(index - 1) in (
        "caused",
        "used",
        "followed",
        "multiplied",
        "separated",
        "joined",
    ):
        return
    yield from _sides(s, index - 2, index + 1, agree=True)


def _subject_and_object(s: Sentence, verb: int, lemma: str) -> Iterator[str]:
    """X contains Y, X defeated Y, X is chasing Y -> the other way round."""
    low = s.at(verb)
    right = verb + 1
    if s.at(right) == "that":
        return
    if lemma in ("inherit", "depend"):
        if s.at(right) not in ("from", "on"):
            return
        right += 1
    if low in THIRD:
        yield from _sides(s, verb, right, agree=True)
    elif low in GERUND:
        auxiliary = s.at(verb - 1) in BE
        if not auxiliary and lemma in ("contain", "include"):
            return
        yield from _sides(s, verb - 1 if auxiliary else verb, right, agree=auxiliary)
    elif low in PAST and s.at(right) != "by":
        yield from _sides(s, verb, right, agree=False)


def _placed(s: Sentence, index: int) -> Iterator[str]:
    """X is (sitting) on top of Y, a X under a Y -> Y on top of X."""
    words = s.low[index : index + 4] if s.low[index : index + 4] in _SIDES else _PLACES.get(s.at(index), ())
    if not words or s.low[index : index + len(words)] != words:
        return
    left = index - 1 if s.at(index - 1) in GERUND else index
    auxiliary = s.at(left - 1) in BE
    start = clause_start(s, left)
    if not auxiliary and (s.at(start) not in ("a", "an") or not s.opens(start) or s.at(left - 1)[-1:] in "sd"):
        return
    yield from _sides(s, left - auxiliary, index + len(words), agree=auxiliary)


def _exchange(s: Sentence, left: Span, right: Span) -> Iterator[str]:
    """The text with two phrases exchanged, if they are different things and each can stand in the other's place."""
    first, second = s.low[slice(*left)], s.low[slice(*right)]
    if set(first) & _VAGUE or set(second) & _VAGUE or _number(first) or _number(second):
        return
    names = [normalised(" ".join(s.tokens[slice(*span)])) for span in (left, right)]
    if names[0] == names[1] or not all(names):
        return
    if _ORDINAL.search(names[0]) or _ORDINAL.search(names[1]):
        return
    yield s.edit((*left, s.tokens[slice(*right)]), (*right, as_inside(s, *left)))


def as_inside(s: Sentence, start: int, end: int) -> list[str]:
    """The phrase as it is written inside a sentence: a capital that only the place gave it goes."""
    head, *rest = s.tokens[start:end]
    common = (rest[:1] and rest[0].islower() and "'" not in head) or head.endswith(("s", "ing"))
    return [decapitalised(head) if s.opens(start) and common else head, *rest]


def _number(words: tuple[str, ...]) -> bool:
    return len(words) == 1 and words[0] != CODE and words[0][0].isdigit()
