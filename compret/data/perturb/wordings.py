"""Words and phrases by which rewordings go: synonyms, contractions, inverse relations, verbs with a passive."""

from __future__ import annotations

from compret.data.perturb.flips import one_way, pairs, table


def _both_ways(text: str) -> dict[str, str]:
    """`a/b c/d` as a table that reads either way."""
    found = [entry.split("/") for entry in text.split()]
    return {one: other for pair in found for one, other in (pair, reversed(pair))}


_ASK = "check checks checking test tests determine determines see decide verify tell know ask"
_BASE = "$ . to can will should must not cannot may could would"
_THIRD = "$ . that which it and who method function class module"
WORDS = table(
    pairs(
        "compute/calculate delete/erase retrieve/fetch obtain/get display/show invoke/call execute/run", before=_BASE
    ),
    pairs(
        "select/choose construct/build modify/alter permit/allow terminate/stop purchase/buy assist/help", before=_BASE
    ),
    pairs("utilize/use", before=_BASE, not_after="of"),
    pairs(
        "computes/calculates deletes/erases retrieves/fetches obtains/gets displays/shows invokes/calls", before=_THIRD
    ),
    pairs(
        "executes/runs selects/chooses constructs/builds modifies/alters permits/allows utilizes/uses", before=_THIRD
    ),
    pairs("computing/calculating computed/calculated entire/whole several/multiple initially/at_first utilizing/using"),
    pairs("immediately/at_once approximately/roughly large/big rapidly/quickly sofa/couch"),
    pairs("directory/folder directories/folders photo/photograph film/movie films/movies bicycle/bike"),
    pairs("among/amongst although/even_though beside/next_to for_example/for_instance via/by_means_of until/till"),
    pairs("located_in/situated_in was_founded/was_established in_order_to/so_as_to unless/except_if"),
    pairs("such_as/like", before="objects things types values functions methods files classes options animals"),
    pairs("given/specified", before="the a", not_after="by in as to that"),
    pairs("make_sure/ensure makes_sure/ensures", after="that the all a an it"),
    pairs("requires/needs", after="a an the"),
    pairs("each/every", not_after="of other time one", not_before="for to of"),
    pairs("without_any/with_no does_not_have_any/has_no do_not_have_any/have_no"),
    one_way("without a", "with no"),
    one_way("without an", "with no"),
    one_way("does not have a", "has no"),
    one_way("does not have an", "has no"),
    one_way("in order to", "to"),
    one_way("prior to", "before"),
    one_way("e.g.", "for example"),
    one_way("i.e.", "that is"),
    one_way("if", "whether", before=_ASK, not_after="needed necessary possible so not"),
    one_way("whether", "if", before=_ASK, not_after="or"),
    one_way("there is no", "there is not any"),
    one_way("has to", "must", not_before="not it"),
    one_way("is able to", "can"),
    one_way("is unable to", "cannot"),
    one_way("is not able to", "cannot"),
)
"""Words and phrases that stand for each other in any sentence; phrases of docstrings included."""
UN = table(
    pairs(
        "not_valid/invalid not_available/unavailable not_supported/unsupported not_known/unknown not_sorted/unsorted"
    ),
    pairs("not_specified/unspecified not_visible/invisible not_possible/impossible not_equal/unequal not_safe/unsafe"),
    pairs("not_compatible/incompatible not_consistent/inconsistent not_correct/incorrect not_reachable/unreachable"),
    pairs("not_happy/unhappy not_interesting/uninteresting not_necessary/unnecessary not_important/unimportant"),
    pairs("not_enabled/disabled not_present/absent not_likely/unlikely not_usual/unusual not_signed/unsigned"),
)
LONG = {
    **{f"{aux}n't": [aux, "not"] for aux in "is are was were could would should has have had does do did".split()},
    "can't": ["cannot"],
    "won't": ["will", "not"],
    "it's": ["it", "is"],
    "that's": ["that", "is"],
    "they're": ["they", "are"],
    "you're": ["you", "are"],
    "we'll": ["we", "will"],
    "it'll": ["it", "will"],
}
SHORT = {tuple(long): short for short, long in LONG.items() if short.endswith("n't") or short == "can't"}
FRONTED = frozenset("if when unless before after because while until although".split())
INVERSE_SCALE = _both_ways(
    "greater/less larger/smaller longer/shorter higher/lower older/newer earlier/later faster/slower "
    "taller/shorter heavier/lighter stronger/weaker better/worse bigger/smaller"
)
INVERSE_KIND = _both_ways(
    "subset/superset subclass/superclass subtype/supertype parent/child ancestor/descendant predecessor/successor"
)
INVERSE_PLACE = {
    ("above",): ["below"],
    ("below",): ["above"],
    ("on", "top", "of"): ["underneath"],
    ("underneath",): ["on", "top", "of"],
    ("to", "the", "left", "of"): ["to", "the", "right", "of"],
    ("to", "the", "right", "of"): ["to", "the", "left", "of"],
    ("behind",): ["in", "front", "of"],
    ("in", "front", "of"): ["behind"],
}
VOICE = frozenset(
    """contain include precede override wrap call extend exceed own invoke replace define implement provide represent
    use create hold store manage describe control handle carry ride pull push defeat support specify produce generate
    raise return accept require determine modify surround""".split()
)
ORDERED = frozenset(
    """difference ratio quotient between respectively order ordered pair pairs tuple tuples then former latter
    concatenate first second last subtract divide minus from""".split()
)
MOVING = frozenset("copy move convert transfer download upload translate cast migrate add load send transform".split())
TAILS = tuple(
    tuple(text.split())
    for text in (
        ", false otherwise|, otherwise false|; false otherwise|, else false|, or false otherwise|or false otherwise|"
        "and false otherwise|, and false otherwise|; otherwise return false|, otherwise return false|false otherwise|"
        "else false|; otherwise false|, false if not|or false if not|, otherwise returns false"
    ).split("|")
)
OWNED = frozenset(
    """name names size length value values path title state status position width height color colour address contents
    content id owner version parent root shape location label description age type dtype default data""".split()
)
