"""Negation put in or taken out at the verb: is -> is not, does not raise -> raises, Return -> Do not return."""

from __future__ import annotations

from collections.abc import Iterator

from compret.data.perturb.phrases import (
    AUXILIARIES,
    BE,
    DETERMINERS,
    MODALS,
    PREPOSITIONS,
    PRONOUNS,
    clause_end,
    clause_start,
    in_open_question,
    is_plural,
    noun_phrase,
)
from compret.data.perturb.sentence import CODE, Sentence, decapitalised
from compret.data.perturb.verbs import (
    LEMMA,
    NOUNLIKE,
    NOUNLIKE_THIRD,
    PAST,
    THIRD,
    VERBS,
    is_participle,
    past,
    third,
)

_TAKES_NOT = (BE - {"be", "been", "being"}) | MODALS - {"cannot"}
_CONTRACTED = {
    **{f"{aux}n't": aux for aux in "is are was were could would should must has have had does do did".split()},
    "can't": "can",
    "won't": "will",
    "cannot": "can",
    "mustn't": "must",
}
_NEGATIVE = frozenset(
    "not never no none nor neither nothing nobody hardly rarely seldom barely cannot without n't".split()
)
# Before an auxiliary these ask, compare or point; after one they would read oddly with a `not` in front.
_NOT_BEFORE = frozenset("what how why where who so nor neither as than there etc. of only here whatever".split()) | {
    *"don't doesn't didn't can't won't couldn't wouldn't shouldn't mustn't".split()
}
_NOT_AFTER = _NEGATIVE | frozenset(
    "then only also still already just either both even usually often probably likely".split()
)
# Words that live in the scope of a negation and are left over when it goes.
_POLAR = frozenset(
    """yet either anymore until ever necessarily only just even but nor because anything anyone anybody anywhere longer
    unless hesitate mind bother matter least whatsoever sufficient enough too such so much both""".split()
)
# A clause with one of these is negated already or tells a time, where a `not` would say nothing.
_CLOSED = frozenset("no none not before after until till as once since unless lest".split())
_SUBJECT = frozenset(
    """that which it who this he she class function method module object decorator command program attribute property
    operation routine option parameter wrapper""".split()
)
_OBJECT = DETERMINERS | {CODE, "whether", "if", "to", "as", "only"}
_INTRANSITIVE = frozenset("exists exist occurs occurred happens".split())
_NO_IMPERATIVE = frozenset("be have let mean own equal see separate complete close note".split())
_COMPOUND_AFTER = frozenset("of for and or , : - = . ; ( )".split()) | {""}


def put_in(s: Sentence) -> Iterator[str]:
    """`not` after an auxiliary, `does not` before a third person, `did not` before a past."""
    for index, low in enumerate(s.low):
        if low in _TAKES_NOT and _open_to_not(s, index):
            yield from _after_auxiliary(s, index)
        elif low in ("has", "have", "had"):
            yield from _after_have(s, index)
        elif low in THIRD and _is_finite(s, index):
            yield s.edit((index, index + 1, ["does", "not", THIRD[low]]))
        elif low in PAST and _is_past(s, index):
            yield s.edit((index, index + 1, ["did", "not", PAST[low]]))


def take_out(s: Sentence) -> Iterator[str]:
    """`is not` -> `is`, `does not raise` -> `raises`, `not found` -> `found` after `if` or `when`."""
    for index, low in enumerate(s.low):
        if low in _CONTRACTED:
            yield from _without_not(s, index, index + 1, _CONTRACTED[low])
        elif low in AUXILIARIES and s.at(index + 1) == "not":
            yield from _without_not(s, index, index + 2, low)
        elif low == "not" and s.at(index - 1) in ("if", "when", "but", "unless", "while", "be"):
            yield from _bare_not(s, index)


def forbid(s: Sentence) -> Iterator[str]:
    """An imperative or a third person at the head of a sentence: Raise -> Do not raise, Returns -> Does not return."""
    for index in range(len(s)):
        if not s.opens(index) or (index > 0 and s.at(index - 1) not in (".", "!")):
            continue
        verb = index + 1 if s.at(index).endswith("ly") and s.at(index + 1) in VERBS else index
        if not is_imperative(s, verb) or is_coordinated(s, verb):
            continue
        words = [decapitalised(s.tokens[i]) for i in range(index, verb)]
        if s.at(verb) in VERBS:
            yield s.edit((index, verb + 1, ["Do", "not", *words, s.at(verb)]))
        elif verb == index:
            yield s.edit((index, verb + 1, ["Does", "not", THIRD[s.at(verb)]]))


def _open_to_not(s: Sentence, index: int) -> bool:
    before, after = s.at(index - 1), s.at(index + 1)
    if s.opens(index) or before in _NOT_BEFORE or after in _NOT_AFTER or s.joined(index):
        return False
    if not s.is_word(index + 1) or s.tokens[index][:1].isupper() or not s.is_word(index - 1):
        return False
    around = s.low[max(0, clause_start(s, index) - 1) : clause_end(s, index)]
    if "?" in s.low or set(around) & _CLOSED or in_open_question(s, index):
        return False
    return before not in MODALS | {"not", "to"}


def _after_auxiliary(s: Sentence, index: int) -> Iterator[str]:
    low = s.at(index)
    subject = s.at(index - 1)
    if low in ("can", "will", "might", "must") and subject in DETERMINERS | PREPOSITIONS:
        return
    if low in MODALS and s.at(index + 1) in DETERMINERS | PREPOSITIONS:
        return
    yield s.edit((index, index + 1, ["cannot"] if low == "can" else [low, "not"]))


def _after_have(s: Sentence, index: int) -> Iterator[str]:
    low, after = s.at(index), s.at(index + 1)
    if s.opens(index) or s.at(index - 1) in MODALS | _NOT_BEFORE | {"to", "not"} or in_open_question(s, index):
        return
    if is_participle(after) or after == "been":
        yield s.edit((index, index + 1, [low, "not"]))
    elif after in ("a", "an", "the", "to", "one", "any", "some") and s.at(index - 1) not in AUXILIARIES:
        helper = {"has": "does", "have": "do", "had": "did"}[low]
        extra = 1 if after == "some" else 0
        yield s.edit((index, index + 1 + extra, [helper, "not", "have", *["any"] * extra]))


def _is_finite(s: Sentence, index: int) -> bool:
    """Whether a third-person form inside a sentence is its verb and not a plural noun."""
    low, before, after = s.at(index), s.at(index - 1), s.at(index + 1)
    if low in ("is", "has", "does") or s.opens(index) or s.joined(index) or in_open_question(s, index):
        return False
    if after in _NEGATIVE or before in _NEGATIVE or s.tokens[index][:1].isupper() or "?" in s.low:
        return False
    if before in ("that", "which", "it", "who", "he", "she"):
        return s.is_word(index + 1) or low in _INTRANSITIVE
    if low in NOUNLIKE_THIRD:
        return before in _SUBJECT and (after in _OBJECT)
    blocked = DETERMINERS | PREPOSITIONS | AUXILIARIES | {"and", "or", "also", "only", "to", "not", "then"}
    if not s.is_word(index - 1) or before in blocked or before.endswith("ly"):
        return False
    start = _subject_start(s, index)
    return start is not None and not is_plural(s, start, index)


def _subject_start(s: Sentence, end: int) -> int | None:
    for start in range(end - 1, max(-1, end - 7), -1):
        if (start == 0 or not s.is_word(start - 1) or s.at(start) in DETERMINERS) and noun_phrase(s, start) == end:
            return start
    return None


def _is_past(s: Sentence, index: int) -> bool:
    """A past form after a personal pronoun, where it cannot be a participle."""
    if s.at(index - 1) not in ("he", "she", "it", "they", "we", "i", "who") or s.joined(index):
        return False
    return (
        s.is_word(index + 1)
        and s.at(index + 1) not in _NEGATIVE | {"as", "so"}
        and s.at(index) not in ("used", "was", "had")
    )


def _without_not(s: Sentence, index: int, end: int, helper: str) -> Iterator[str]:
    """Take a negation out of `[index, end)`, an auxiliary with its `not`."""
    stop = clause_end(s, end)
    if set(s.low[end:stop]) & _POLAR or "?" in s.low or s.at(end) in (*_NEGATIVE, *PRONOUNS, "", ","):
        return
    if in_open_question(s, index) or s.at(index - 1) in ("or", "what", "how", "why", "whether") or s.joined(index):
        return
    if any(low.endswith("n't") or low in _NEGATIVE for low in s.low[end:stop]):
        return
    some = [(i, i + 1, ["some"]) for i in range(end, stop) if s.low[i] == "any"]
    if helper not in ("do", "does", "did"):
        yield s.edit((index, end, [helper]), *some)
        return
    verb = end + 1 if s.at(end).endswith("ly") or s.at(end) in ("currently", "always", "actually") else end
    base = s.at(verb)
    if (base != "have" and base not in VERBS) or base == "be" or (s.opens(index) and helper == "did"):
        return
    form = {"do": base, "does": third(base), "did": past(base)}[helper]
    yield s.edit((index, verb + 1, [*s.tokens[end:verb], form]), *some)


def _bare_not(s: Sentence, index: int) -> Iterator[str]:
    before, after = s.at(index - 1), s.at(index + 1)
    if set(s.low[index:]) & _POLAR or in_open_question(s, index) or not s.is_word(index + 1):
        return
    if before == "but" and s.at(index - 2) not in (",", ""):
        yield s.edit((index - 1, index + 1, ["and"]))
    elif before == "be" and after not in DETERMINERS:
        return
    elif is_participle(after) or after in ("empty", "present", "available", "set", "valid", "in", "already", "a", "an"):
        yield s.edit((index, index + 1, []))


def is_imperative(s: Sentence, index: int) -> bool:
    """Whether the word that opens a sentence is a verb, to judge by itself and by what follows it."""
    low, after = s.at(index), s.at(index + 1)
    if s.joined(index) or after in ("not", "nothing", "no", "none", "never", *_COMPOUND_AFTER) or "?" in s.low:
        return False
    if low == "do" or (low in LEMMA and low not in VERBS and low not in THIRD):
        return False
    if low in THIRD and low not in ("is", "has", "does"):
        return low not in NOUNLIKE_THIRD or after in _OBJECT
    if low not in VERBS or low in _NO_IMPERATIVE:
        return False
    return low not in NOUNLIKE or low == "return" or after in _OBJECT


def is_coordinated(s: Sentence, verb: int) -> bool:
    """Whether a second verb follows soon, which a negation of the first would leave in doubt."""
    stop = clause_end(s, verb)
    return any(
        s.low[i] in ("and", "or", "then", "but")
        and (s.at(i + 1) in VERBS or s.at(i + 1) in THIRD or s.at(i + 1) == "then")
        for i in range(verb + 1, stop)
    )
