"""Rewordings that keep the meaning by rule: mood, contractions, safe synonyms, clause order, voice, inverse relations.

None of them touches what is said: `x is greater than y` becomes `y is less than x`, `Load it if it exists` becomes
`If it exists, load it`. They are the label 1 beside the perturbations' label 0 and reuse the same words.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from compret.data.perturb.flips import flipped
from compret.data.perturb.negation import is_coordinated, is_imperative
from compret.data.perturb.phrases import (
    AUXILIARIES,
    BE,
    DETERMINERS,
    PREPOSITIONS,
    PRONOUNS,
    WH,
    in_open_question,
    is_plural,
    noun_phrase,
    sentence_end,
    subject_phrase,
)
from compret.data.perturb.sentence import CODE, Sentence, decapitalised, normalised, parse
from compret.data.perturb.swap import as_inside
from compret.data.perturb.verbs import LEMMA, NOUNLIKE, PARTICIPLE, THIRD, VERBS, is_gerund, participle, third
from compret.data.perturb.wordings import (
    FRONTED,
    INVERSE_KIND,
    INVERSE_PLACE,
    INVERSE_SCALE,
    LONG,
    MOVING,
    ORDERED,
    OWNED,
    SHORT,
    TAILS,
    UN,
    VOICE,
    WORDS,
)


def paraphrases(text: str) -> list[str]:
    """All rewordings that one rule makes, without repeats, none of them the text itself."""
    s = parse(text)
    same = normalised(s.text)
    found = dict.fromkeys(new for rule in RULES for new in rule(s))
    return [new for new in found if normalised(new) != same]


def paraphrase(text: str, rng: random.Random) -> str | None:
    """One rewording, its rule drawn first; None where no rule applies."""
    s = parse(text)
    same = normalised(s.text)
    for rule in rng.sample(RULES, len(RULES)):
        found = [new for new in dict.fromkeys(rule(s)) if normalised(new) != same]
        if found:
            return rng.choice(found)
    return None


def _synonym(s: Sentence) -> Iterator[str]:
    return flipped(s, WORDS)


def _unprefixed(s: Sentence) -> Iterator[str]:
    """is not valid <-> is invalid, where a form of be stands before."""
    for index, low in enumerate(s.low):
        if low in ("is", "are", "was", "were") and not s.opens(index):
            for flip in UN.get(s.at(index + 1), ()):
                if flip.fits(s, index + 1) and s.at(index + 1 + len(flip.words)) not in ("by", "in", "with"):
                    yield s.edit((index + 1, index + 1 + len(flip.words), flip.others))


def _mood(s: Sentence) -> Iterator[str]:
    """Return ... <-> Returns ..., This returns ..., Get ..."""
    if not s.tokens or not is_imperative(s, 0) or is_coordinated(s, 0) or "." in s.low[:-1]:
        return
    low = s.at(0)
    base = low if low in VERBS else THIRD[low]
    yield s.edit((0, 1, [third(base) if low == base else base]))
    yield s.edit((0, 1, ["This", third(base)]))
    if base == "return" and s.at(1) in ("a", "an", "the"):
        yield s.edit((0, 1, ["Get" if low == base else "Gets"]))
        yield s.edit((0, 1, ["Give" if low == base else "Gives", "back"]))


def _contraction(s: Sentence) -> Iterator[str]:
    """isn't <-> is not."""
    for index in range(len(s)):
        if s.at(index) in LONG and s.at(index + 1) not in ("been", "got"):
            yield s.edit((index, index + 1, LONG[s.at(index)]))
        for width in (1, 2):
            short = SHORT.get(s.low[index : index + width])
            if short and s.is_word(index + width) and not s.opens(index):
                yield s.edit((index, index + width, [short]))


def _front(s: Sentence) -> Iterator[str]:
    """Main if condition. -> If condition, main."""
    for index in range(2, len(s)):
        start, end = _sentence_start(s, index), sentence_end(s, index)
        if s.at(index) not in FRONTED or index - start < 2 or end - index < 3 or not s.opens(start):
            continue
        clause, main = s.low[index:end], s.low[start:index]
        if _NO_FRONT & {*clause, *main} or len(FRONTED & {*clause, *main}) > 1:
            continue
        if in_open_question(s, index) or main[-1] in _FRONT_BLOCKS or not _plain_clause(s, index, end):
            continue
        if not (is_imperative(s, start) or (_common(s, start) and _has_verb(s, start, index))):
            continue
        head = [decapitalised(s.tokens[start])]
        mark = [s.tokens[index], *s.tokens[index + 1 : end - 1], s.tokens[end - 1] + ","]
        if all(s.spaced[start + 1 : end]):
            yield s.edit((start, end, [*mark, *head, *s.tokens[start + 1 : index]]))


def _unfront(s: Sentence) -> Iterator[str]:
    """If condition, main. -> Main if condition."""
    for start in range(len(s)):
        if s.at(start) not in FRONTED or not s.opens(start):
            continue
        end = sentence_end(s, start)
        commas = [i for i in range(start, end) if s.low[i] == ","]
        if len(commas) != 1 or {":", "(", "?", "otherwise", "else", "-"} & set(s.low[start:end]):
            continue
        middle = commas[0]
        main = middle + 2 if s.at(middle + 1) == "then" else middle + 1
        inner = (*s.spaced[start + 1 : middle], *s.spaced[main + 1 : end])
        if (
            end - main > 1
            and all(inner)
            and s.at(main) not in ("and", "or", "but")
            and len(FRONTED & set(s.low[start:end])) == 1
        ):
            clause = [decapitalised(s.tokens[start]), *s.tokens[start + 1 : middle]]
            yield s.edit((start, end, [*s.tokens[main:end], *clause]))


def _voice(s: Sentence) -> Iterator[str]:
    """X contains Y <-> Y is contained by X."""
    for index, low in enumerate(s.low):
        if low in THIRD and THIRD[low] in VOICE:
            yield from _passive(s, index)
        elif low == "by" and PARTICIPLE.get(s.at(index - 1)) in VOICE and s.at(index - 2) in ("is", "are"):
            yield from _active(s, index)


def _passive(s: Sentence, verb: int) -> Iterator[str]:
    start, end = subject_phrase(s, verb), noun_phrase(s, verb + 1)
    if start is None or end is None or is_plural(s, start, verb) or not _ends(s, end):
        return
    be = "are" if is_plural(s, verb + 1, end) else "is"
    base = THIRD[s.at(verb)]
    middle = [be, participle(base), "in" if base in ("contain", "include") else "by"]
    yield s.edit((start, end, [*s.tokens[verb + 1 : end], *middle, *as_inside(s, start, verb)]))


def _active(s: Sentence, by: int) -> Iterator[str]:
    start, end = subject_phrase(s, by - 2), noun_phrase(s, by + 1)
    if start is None or end is None or is_gerund(s.at(by + 1)) or not _ends(s, end):
        return
    base = PARTICIPLE[s.at(by - 1)]
    verb = base if is_plural(s, by + 1, end) else third(base)
    yield s.edit((start, end, [*s.tokens[by + 1 : end], verb, *as_inside(s, start, by - 2)]))


def _inverse(s: Sentence) -> Iterator[str]:
    """X is greater than Y -> Y is less than X, X is above Y -> Y is below X"""
    for index, low in enumerate(s.low):
        if low in BE:
            yield from _inverse_relation(s, index)
        elif low == "precedes":
            yield from _turned(s, index, index + 1, ["follows"])


def _inverse_relation(s: Sentence, be: int) -> Iterator[str]:
    first = s.at(be + 1)
    if first in INVERSE_SCALE and s.at(be + 2) == "than":
        yield from _turned(s, be, be + 3, [s.tokens[be], INVERSE_SCALE[first], "than"])
    elif first in ("a", "the", "an") and s.at(be + 2) in INVERSE_KIND and s.at(be + 3) == "of":
        article = "the" if first == "the" else "an" if INVERSE_KIND[s.at(be + 2)][0] in "aeiou" else "a"
        yield from _turned(s, be, be + 4, [s.tokens[be], article, INVERSE_KIND[s.at(be + 2)], "of"])
    for words, others in INVERSE_PLACE.items():
        end = be + 1 + len(words)
        if s.low[be + 1 : end] == words:
            yield from _turned(s, be, end, [s.tokens[be], *others])


def _turned(s: Sentence, left_end: int, right: int, middle: list[str]) -> Iterator[str]:
    """X middle Y with X and Y exchanged, if they are of one number."""
    start, end = subject_phrase(s, left_end), noun_phrase(s, right)
    if start is None or end is None or is_plural(s, start, left_end) != is_plural(s, right, end):
        return
    if not _ends(s, end):
        return
    yield s.edit((start, end, [*s.tokens[right:end], *middle, *as_inside(s, start, left_end)]))


def _from_to(s: Sentence) -> Iterator[str]:
    """move it from X to Y <-> move it to Y from X."""
    for index, low in enumerate(s.low):
        if low not in ("from", "to") or not _moved(s, index):
            continue
        middle = noun_phrase(s, index + 1, closed=False)
        if middle is None or s.at(middle) != ("to" if low == "from" else "from"):
            continue
        end = noun_phrase(s, middle + 1)
        if end is not None and _ends(s, end):
            yield s.edit((index, end, [*s.tokens[middle:end], *s.tokens[index:middle]]))


def _moved(s: Sentence, index: int) -> bool:
    """Whether a verb of moving, alone or with its object, ends at the index."""
    starts = [i for i in range(max(0, index - 6), index) if LEMMA.get(s.at(i)) in MOVING]
    return any(i + 1 == index or noun_phrase(s, i + 1, closed=False) == index for i in starts)


def _ends(s: Sentence, end: int) -> bool:
    """Whether nothing follows that could hang on the phrase that ends here."""
    after = s.at(end)
    return after in ("", ".", ";", "if", "when", "otherwise", "else") or (after == "," and s.at(end + 1) not in WH)


def _truth(s: Sentence) -> Iterator[str]:
    """Return True if x, False otherwise. <-> Return whether x."""
    for index in range(len(s)):
        if s.at(index) not in ("return", "returns", "returning") or "." in s.low[:index]:
            continue
        end = s.low.index(".", index) if "." in s.low[index:] else len(s)
        if s.at(index + 1) == "whether" and s.at(index + 2) != "or":
            yield s.edit((index + 1, index + 2, ["True", "if"]))
        elif s.at(index + 1) == "true" and s.at(index + 2) in ("if", "when"):
            tail = next((t for t in TAILS if s.low[end - len(t) : end] == t), ())
            if not {"false", "otherwise", "else", "and"} & set(s.low[index + 2 : end - len(tail)]):
                yield s.edit((index + 1, index + 3, ["whether"]), (end - len(tail), end, []))


def _coordination(s: Sentence) -> Iterator[str]:
    """files and directories <-> directories and files."""
    if ORDERED & set(s.low):
        return
    for index, low in enumerate(s.low):
        if low in ("and", "or") and _same_kind(s, index) and s.at(index - 2) not in (",", "and", "or", "'"):
            yield s.edit((index - 1, index + 2, [s.tokens[index + 1], s.tokens[index], s.tokens[index - 1]]))


def _same_kind(s: Sentence, index: int) -> bool:
    left, right = s.at(index - 1), s.at(index + 1)
    before, after = s.at(index - 2), s.at(index + 2)
    if s.joined(index - 1) or s.joined(index + 1) or s.opens(index - 1) or after in ("and", "or", ",", "of"):
        return False
    if before not in PREPOSITIONS | DETERMINERS | {"the", "returns", "return", "all"} or (
        s.is_word(index + 2) and after not in PREPOSITIONS
    ):
        return False
    if left == right == CODE:
        return before != "of" and before in PREPOSITIONS | {"the"}
    plural = all(w.endswith("s") and w.isalpha() and len(w) > 3 and not w.endswith("ss") for w in (left, right))
    return plural and s.tokens[index + 1].islower()


def _possessive(s: Sentence) -> Iterator[str]:
    """the name of the file -> the file's name."""
    for index, low in enumerate(s.low):
        words = s.low[index : index + 5]
        if low != "the" or len(words) < 5 or words[1] not in OWNED or words[2] != "of" or words[3] != "the":
            continue
        owner, after = words[4], s.at(index + 5)
        if owner == CODE or not owner.isalpha() or owner.endswith("s") or s.joined(index + 4):
            continue
        if after in (".", "", ",", "if", "is", "when") and owner not in PRONOUNS:
            yield s.edit((index, index + 5, ["the", s.tokens[index + 4] + "'s", s.tokens[index + 1]]))


def _relative(s: Sentence) -> Iterator[str]:
    """a class that holds <-> a class which holds; containing <-> that contains."""
    for index, low in enumerate(s.low):
        following = s.at(index + 1)
        if low in ("that", "which") and following in (*THIRD, "can", "will", "should") and s.is_word(index - 1):
            if s.at(index - 1) not in PREPOSITIONS | {"and", "or", "so"} and not _is_verb(s, index - 1):
                yield s.edit((index, index + 1, ["which" if low == "that" else "that"]))
        elif low in ("containing", "representing", "describing") and s.is_word(index - 1) and s.is_word(index + 1):
            plural = is_plural(s, index - 1, index)
            if s.at(index - 1) not in PREPOSITIONS | BE | DETERMINERS | {"and", "or"} and not _is_verb(s, index - 1):
                yield s.edit((index, index + 1, ["that", LEMMA[low] if plural else third(LEMMA[low])]))


def _is_verb(s: Sentence, index: int) -> bool:
    base = LEMMA.get(s.at(index))
    return base is not None and (base not in NOUNLIKE or is_gerund(s.at(index)) or s.opens(index))


_NO_FRONT = frozenset(", : ( ) ? - else otherwise".split())
_FRONT_BLOCKS = PREPOSITIONS | frozenset(
    "only even as and or but what just immediately right shortly long day than ,".split()
)


def _sentence_start(s: Sentence, index: int) -> int:
    while index > 0 and not s.opens(index):
        index -= 1
    return index


def _plain_clause(s: Sentence, index: int, end: int) -> bool:
    """Whether what follows the subordinator can open a sentence: a clause, or a gerund after before, after, when."""
    following = s.at(index + 1)
    if s.at(index) in ("before", "after"):
        return is_gerund(following)
    if is_gerund(following):
        return s.at(index) == "when"
    return _has_verb(s, index, end)


def _has_verb(s: Sentence, start: int, end: int) -> bool:
    return not (AUXILIARIES | THIRD.keys()).isdisjoint(s.low[start + 1 : end])


def _common(s: Sentence, index: int) -> bool:
    return s.low[index] == CODE or s.low[index] in THIRD or s.low[index] in DETERMINERS or s.low[index] in PRONOUNS


RULES: tuple[Callable[[Sentence], Iterator[str]], ...] = (
    _synonym,
    _unprefixed,
    _mood,
    _contraction,
    _front,
    _unfront,
    _voice,
    _inverse,
    _from_to,
    _coordination,
    _possessive,
    _relative,
    _truth,
)
