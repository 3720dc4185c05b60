"""Noun phrases and clauses found without a parser: where they end, what number they have, where not to touch them."""

from __future__ import annotations

import re

from compret.data.perturb.sentence import CODE, Sentence
from compret.data.perturb.verbs import GERUND, NOUNLIKE_THIRD, PAST, THIRD, VERBS, is_gerund, is_participle

SINGULAR_DET = frozenset("a an one this that each every another".split())
PLURAL_DET = frozenset(
    (
        "two three four five six seven eight nine ten eleven twelve these those several many few multiple some all both"
    ).split()
)
DETERMINERS = SINGULAR_DET | PLURAL_DET | frozenset("the no any its their his her your our my".split())
PREPOSITIONS = frozenset(
    """about above across after against along among around as at before behind below beneath beside besides between
    beyond by down during except for from in inside into like near of off on onto out outside over past per since than
    through throughout to toward towards under underneath until till unlike up upon via with within without""".split()
)
CONJUNCTIONS = frozenset(
    "and or but nor so if when while whether because although though unless whereas then else".split()
)
WH = frozenset("what how why where who whom whose which that when whatever whichever whoever".split())
MODALS = frozenset("can could will would should must may might shall cannot".split())
BE = frozenset("is are was were be been being am".split())
AUXILIARIES = MODALS | BE | frozenset("has have had do does did".split())
PRONOUNS = frozenset("it they we you he she i them him us me itself themselves himself herself who".split())
_ADVERBS = frozenset(
    """again also already always just never only not instead too very here there respectively otherwise once twice
    together apart away back else even still yet ever now often usually however therefore thus hence e.g. i.e.
    etc. vs. cf. respectively whenever wherever given used based according using containing including""".split()
)
_STOP = PREPOSITIONS | CONJUNCTIONS | WH | AUXILIARIES | PRONOUNS | _ADVERBS | {"'s"}
_ANAPHORA = frozenset(
    """its their his her other others another each every one ones same both something anything everything nothing
    someone anyone such what no any none more most less least different various itself either neither""".split()
)
_PREDICATIVE = frozenset("close next adjacent similar equal relative prior due able ready available near such".split())
_IRREGULAR_PLURALS = frozenset(
    "people children men women mice indices vertices matrices axes criteria feet teeth individuals".split()
)
_CLAUSE_MARKS = frozenset(". , ; : ! ? ( ) -- –".split())
_SUBORDINATORS = frozenset("if whether when where while unless because since until although though so then".split())
_SAYING = frozenset(
    "ensure check assert verify test indicate say show mean assume guarantee note require specify".split()
)
_SAYING_FORMS = _SAYING | {form for form, verb in {**THIRD, **PAST}.items() if verb in _SAYING}
_LIMIT = 7


def noun_phrase(s: Sentence, start: int, closed: bool = True) -> int | None:
    """Where the noun phrase that starts at `start` ends, None if none can be told with confidence.

    Args:
        closed: the phrase must be followed by the end, a mark or a word that cannot go on with it (`and`, `or` could).
    """
    core = _core(s, start)
    if core is None:
        return None
    if s.at(core) == "of":
        core = _core(s, core + 1)
    if core is None or core - start > _LIMIT:
        return None
    return core if not closed or _closes(s, core) else None


def _core(s: Sentence, start: int) -> int | None:
    """A phrase up to its head noun, without what comes after `of`."""
    index = start
    while s.at(index) in DETERMINERS or (s.tokens[index : index + 1] and s.tokens[index].isdigit()):
        index += 1
    head = index
    while index < len(s) and index - start <= _LIMIT and _continues(s, head, index):
        index += 1
    if index == head or not all(s.spaced[start + 1 : index]) or s.joined(index - 1):
        return None
    if set(s.low[start:index]) & _ANAPHORA:
        return None
    last = s.at(index - 1)
    if last.endswith("ly") or last in _PREDICATIVE or (index - head == 1 and (is_participle(last) or last in GERUND)):
        return None
    return index


def _continues(s: Sentence, head: int, index: int) -> bool:
    """Whether the word at `index` belongs to the phrase whose first content word is at `head`."""
    low = s.at(index)
    if not s.is_word(index) or low in _STOP or low in DETERMINERS:
        return False
    if index > head and low in PAST and s.at(index + 1) in DETERMINERS:
        return False
    if low in THIRD and low not in NOUNLIKE_THIRD:
        return False
    following = s.is_word(index + 1) and s.at(index + 1) not in _STOP and s.at(index + 1) not in DETERMINERS
    if is_participle(low) and low not in VERBS and low != CODE:
        return following and s.at(index + 1) != CODE
    if is_gerund(low) and index > head:
        return s.at(index + 1) not in DETERMINERS and s.at(index + 1) != CODE
    return True


def _closes(s: Sentence, end: int) -> bool:
    low = s.at(end)
    if low in ("and", "or", "'", "of", "'s", "that", "which", "who"):
        return False
    if low == "." and end + 1 < len(s) and len(s.tokens[end - 1]) == 1 and s.tokens[end - 1].isupper():
        return False
    if low == "," and all(token[:1].isupper() for token in (s.tokens[end - 1], *s.tokens[end + 1 : end + 2])):
        return False
    if low in PRONOUNS or low == "etc.":
        return False
    return low in ("", *_CLAUSE_MARKS) or low in _STOP or low in THIRD or is_gerund(low) or is_participle(low)


def clause_start(s: Sentence, index: int) -> int:
    """Where the clause that holds `index` begins, as marks and subordinating words show it."""
    while index > 0:
        before = s.at(index - 1)
        if before in _CLAUSE_MARKS or before in _SUBORDINATORS or (before == "-" and s.spaced[index]):
            break
        if before == "that" and s.at(index - 2) in _SAYING_FORMS:
            break
        index -= 1
    return index


def clause_end(s: Sentence, index: int) -> int:
    """The index of the mark that ends the clause, or the number of tokens."""
    while index < len(s) and s.at(index) not in _CLAUSE_MARKS:
        index += 1
    return index


def sentence_end(s: Sentence, index: int) -> int:
    """The index of the full stop behind `index`, or the number of tokens."""
    while index < len(s) and s.at(index) not in (".", "!", "?", ";"):
        index += 1
    return index


def subject_phrase(s: Sentence, end: int) -> int | None:
    """Where the noun phrase begins that is a clause's whole subject and ends at `end`."""
    start = clause_start(s, end)
    if start == end or s.at(start - 1) == ")" or noun_phrase(s, start, closed=False) != end:
        return None
    return start


def is_plural(s: Sentence, start: int, end: int) -> bool:
    """The number of a noun phrase, from its determiner and the head before `of`."""
    words = s.low[start:end]
    if words[0] in SINGULAR_DET:
        return False
    if words[0] in PLURAL_DET or words[0].isdigit():
        return words[0] != "1"
    head = words[words.index("of") - 1] if "of" in words[1:] else words[-1]
    if s.tokens[start + words.index(head)][:1].isupper() and start > 0:
        return False
    return head in _IRREGULAR_PLURALS or bool(re.search(r"[^siu]s$", head))


def in_open_question(s: Sentence, index: int) -> bool:
    """Whether the index lies in `check if ...`: who asks whether it is so asks as well whether it is not."""
    for place in range(index, -1, -1):
        low = s.at(place)
        if low in (".", ";"):
            return False
        if low in ("if", "whether"):
            return _asks(s, place) or (low == "whether" and "not" in s.low[place : place + 3])
    return False


_ASKING = frozenset(
    """check test determine decide see ask know control tell detect verify figure choose examine query consider
    wonder inspect matter specify flag option""".split()
)
_ASKING_FORMS = (
    _ASKING
    | {form for form, verb in {**THIRD, **PAST}.items() if verb in _ASKING}
    | {form for form, verb in GERUND.items() if verb in _ASKING}
)


def _asks(s: Sentence, place: int) -> bool:
    """Whether `if` or `whether` hangs on a verb of asking, a short way before it."""
    near = s.low[max(0, place - 3) : place]
    return any(low in _ASKING_FORMS for low in near) or (s.at(place) == "whether" and not near)
