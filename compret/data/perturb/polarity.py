"""Words that carry a yes or a no turned into the other: with/without, always/never, if/unless, valid/invalid."""

from __future__ import annotations

from collections.abc import Iterator

from compret.data.perturb.flips import flipped, one_way, pairs, table
from compret.data.perturb.phrases import (
    DETERMINERS,
    MODALS,
    PREPOSITIONS,
    WH,
    clause_end,
    in_open_question,
    is_plural,
    noun_phrase,
)
from compret.data.perturb.sentence import Sentence
from compret.data.perturb.verbs import GERUND, LEMMA, is_gerund, is_participle

_ADJECTIVES = """valid/invalid unknown/known available/unavailable mutable/immutable visible/invisible
reachable/unreachable consistent/inconsistent compatible/incompatible acceptable/unacceptable reliable/unreliable
hashable/unhashable successful/unsuccessful empty/non-empty negative/non-negative positive/non-positive zero/non-zero
familiar/unfamiliar happy/unhappy usual/unusual able/unable important/unimportant
interesting/uninteresting popular/unpopular legal/illegal successfully/unsuccessfully legally/illegally"""
_PARTICIPLES = """supported/unsupported sorted/unsorted ordered/unordered locked/unlocked
encrypted/unencrypted compressed/uncompressed connected/disconnected enabled/disabled allowed/forbidden
accepted/rejected included/excluded"""
_VERBS = """enable/disable enables/disables enabling/disabling include/exclude includes/excludes including/excluding
allow/forbid allows/forbids accept/reject accepts/rejects succeeds/fails agree/disagree agrees/disagrees encode/decode
encodes/decodes compress/decompress compresses/decompresses encrypt/decrypt serialize/deserialize
serializes/deserializes register/unregister registers/unregisters connect/disconnect"""
_IS = "is are was were be very"
_NO_FURTHER = "by in on with at as from via through using or log if to"
_OPPOSITES = table(
    pairs(_ADJECTIVES, not_before="not to", not_after=_NO_FURTHER),
    pairs(_PARTICIPLES, before=_IS + " a an the any all of for with some", not_after=_NO_FURTHER),
    pairs(_VERBS, not_before="not the a an", not_after="for to"),
    pairs("success/failure presence/absence depends_on/ignores", not_after="or"),
    pairs("possible/impossible likely/unlikely safe/unsafe clear/unclear correct/incorrect present/absent", before=_IS),
    pairs("specified/unspecified necessary/unnecessary", before=_IS, not_after=_NO_FURTHER),
    one_way("unspecified", "specified"),
    one_way("unnecessary", "necessary"),
    pairs("lock/unlock", before="$"),
    pairs("signed/unsigned", after="int integer integers value number byte bytes varint short long char"),
    pairs("exists/is_missing", after=". , ; $ in"),
)
_WORDS = table(
    one_way("always", "never", not_before="not almost nearly n't"),
    one_way("never", "always", not_before="almost"),
    one_way("no longer", "still", before="is are was were"),
    one_way("nothing", "something", not_before="do does did for but", not_after="but else"),
    one_way("nobody", "somebody"),
    one_way("no one", "someone"),
    one_way("none of", "all of"),
    one_way("all of the", "none of the", not_before="not"),
    one_way("everyone", "no one"),
    one_way("everybody", "nobody"),
    one_way("everything", "nothing", not_before="not and"),
)
_TRUTH = {"True": "False", "False": "True", "true": "false", "false": "true"}
# with ... has another sense behind these: filled with, together with, replace ... with.
_NOT_WITHOUT = frozenset(
    """along together compatible consistent familiar equal identical inconsistent incompatible up do done even
    especially starting beginning ending conjunction accordance combination interface interact interaction
    deal work comply compliance consistency compatibility wrong start end problem problems issue issues away
    out in nice happy ok good friendly busy popular overlap overlaps contend cope tamper conflict conflicts
    coincide collide argue talk speak something done fine concerned""".split()
)
_IFS_AFTER = frozenset("not none no any so needed necessary possible applicable only and unless you we".split())
_IFS_BEFORE = frozenset("even only as what and or but except iff whether".split())


def opposite(s: Sentence) -> Iterator[str]:
    """valid -> invalid, enable -> disable, always -> never, True -> False."""
    for words in (_OPPOSITES, _WORDS):
        yield from (text for text in flipped(s, words))
    found = [i for i, token in enumerate(s.tokens) if token in _TRUTH]
    if len(found) == 1 and s.at(found[0] + 1) not in ("or", "/") and not s.joined(found[0]):
        yield s.edit((found[0], found[0] + 1, [_TRUTH[s.tokens[found[0]]]]))


def companion(s: Sentence) -> Iterator[str]:
    """with -> without where it says what a thing has, without -> with."""
    for index, low in enumerate(s.low):
        if low == "without" and "with" not in s.low:
            yield from _with(s, index)
        elif low == "with" and "without" not in s.low and _has_without(s, index):
            words = ["without", "any"] if s.at(index + 1) in ("some",) else ["without"]
            yield s.edit((index, index + len(words), words))


def unless(s: Sentence) -> Iterator[str]:
    """if -> unless, unless -> if, in conditions, not in `check if`."""
    for index, low in enumerate(s.low):
        if low == "unless" and s.is_word(index + 1):
            yield s.edit((index, index + 1, ["if"]))
        elif low == "if" and _is_condition(s, index):
            yield s.edit((index, index + 1, ["unless"]))


def quantity(s: Sentence) -> Iterator[str]:
    """no -> a or some, all -> no, there is a -> there is no."""
    for index, low in enumerate(s.low):
        if low == "no" and s.at(index - 1) not in ("or", "and", "whether", "with", "at", "of", "yes", "-"):
            yield from _some(s, index)
        elif low == "all" and s.at(index - 1) not in ("not", "at", "after", "of", "above", "almost", "and", "if", "or"):
            yield from _none(s, index)
        elif low == "there" and s.at(index + 1) in ("is", "are", "was", "were") and "?" not in s.low:
            yield from _there_is_no(s, index)


def _with(s: Sentence, index: int) -> Iterator[str]:
    after = s.at(index + 1)
    if not s.is_word(index + 1) or after in ("limit", "limits", "fail", "which") or s.at(index - 1) in ("with", "or"):
        return
    if is_gerund(after) and after in GERUND:
        yield s.edit((index, index + 1, ["while"]))
    elif after == "any":
        yield s.edit((index, index + 2, ["with", "some"]))
    else:
        yield s.edit((index, index + 1, ["with"]))


def _has_without(s: Sentence, index: int) -> bool:
    before, after = s.at(index - 1), s.at(index + 1)
    if not s.is_word(index - 1) or before in _NOT_WITHOUT | PREPOSITIONS or s.at(index - 2) in MODALS | {"in"}:
        return False
    if before not in _ING_NOUNS and (before in LEMMA or is_participle(before) or is_gerund(before)):
        return False
    if after in (
        "respect",
        "regard",
        "regards",
        "which",
        "whom",
        "it",
        "them",
        "him",
        "her",
        "this",
        "that",
        "no",
        "respectively",
    ):
        return False
    if any(LEMMA.get(low) in _TAKES_WITH for low in s.low[max(0, index - 14) : index]) or s.at(index + 2) == "same":
        return False
    return noun_phrase(s, index + 1, closed=False) is not None and not before.endswith("ly")


_ING_NOUNS = frozenset(
    "string mapping encoding embedding building heading setting padding ring list file object".split()
)
_TAKES_WITH = frozenset(
    """replace fill associate initialize provide compare combine merge share start end begin begins wrap populate deal
    align match pad cover decorate prefix mark annotate multiply correspond interact communicate substitute update
    extend join mix surround separate configure do work swap make parametrize supply feed tag label""".split()
)


def _is_condition(s: Sentence, index: int) -> bool:
    before, after = s.at(index - 1), s.at(index + 1)
    if not s.is_word(index + 1) or after in _IFS_AFTER or before in _IFS_BEFORE or in_open_question(s, index):
        return False
    rest = s.low[index + 1 : clause_end(s, index + 1)]
    if (
        any(low.endswith("n't") for low in rest)
        or {"not", "no", "any", "either", "never", "none", "without", "else", "otherwise"} & set(rest)
        or "unless" in s.low
    ):
        return False
    return s.low.count("if") == 1 and "?" not in s.low and len(rest) > 1 and before not in WH


def _some(s: Sentence, index: int) -> Iterator[str]:
    end = noun_phrase(s, index + 1, closed=False)
    if end is None or s.at(index + 1) in (
        "longer",
        "more",
        "other",
        "matter",
        "one",
        "doubt",
        "op",
        "effect",
        "need",
        "way",
    ):
        return
    words = ["some"] if is_plural(s, index + 1, end) or s.at(end - 1) in _MASS else ["a"]
    yield s.edit((index, index + 1, words))


_MASS = frozenset(
    """information data memory evidence space whitespace padding output input support access time work help progress
    metadata content text code documentation change attention masking room""".split()
)


def _none(s: Sentence, index: int) -> Iterator[str]:
    after = s.at(index + 1)
    if s.at(index - 1) in ("for", "between", "over", "across", "by", "on"):
        return
    if after in ("the", "these", "those", "its", "their", "of") and s.is_word(index + 2):
        words = ["none", "of"] if after != "of" else ["none"]
        yield s.edit((index, index + 1, words))
    elif after not in DETERMINERS | PREPOSITIONS | {"other", "that", "it"} and s.at(index - 1) not in PREPOSITIONS:
        end = noun_phrase(s, index + 1, closed=False)
        if end is not None and is_plural(s, index + 1, end):
            yield s.edit((index, index + 1, ["no"]))


def _there_is_no(s: Sentence, index: int) -> Iterator[str]:
    after = s.at(index + 2)
    if in_open_question(s, index) or s.at(index - 1) in ("is", "are"):
        return
    if after in ("a", "an", "some", "one", "two", "three", "many", "several"):
        yield s.edit((index + 2, index + 3, ["no"]))
