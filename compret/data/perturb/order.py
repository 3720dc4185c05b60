"""Order in time, in a row or on a scale turned round: before/after, first/last, ascending/descending, at least/most."""

from __future__ import annotations

from collections.abc import Iterator

from compret.data.perturb.flips import both_ways, flipped, one_way, pairs, table
from compret.data.perturb.sentence import Sentence

_POINT = (
    "of index position offset time date point character pos line column token value timestamp address node , . "
    "; ) $ is in"
)

_FLIPS = table(
    one_way("before", "after", not_before="as day shortly long", not_after=". , ; ) $ and or long in"),
    one_way(
        "after",
        "before",
        not_before="named look looks looking day soon modeled year one",
        not_after="all . , ; ) $ and or which a",
    ),
    one_way("immediately after", "immediately before"),
    one_way("immediately before", "immediately after"),
    both_ways(
        "first",
        "last",
        before="the its a their his her each only this",
        not_after=(
            ", . ; ) $ order degree class year week month name name, kind things place and or time argument(s) "
            "appeared derivative derivatives to cousin half lady aid"
        ),
    ),
    pairs("ascending/descending increasing/decreasing monotonically_increasing/monotonically_decreasing"),
    pairs("increases/decreases increased/decreased increase/decrease increment/decrement increments/decrements"),
    pairs("incremented/decremented incrementing/decrementing appended/prepended append/prepend appends/prepends"),
    pairs("older/newer oldest/newest earliest/latest youngest/oldest younger/older"),
    both_ways("later", "earlier", before="a an the years year days day months month weeks hours minutes or"),
    both_ways("later", "earlier", after="than version versions date"),
    pairs("previous/next", before="the its their his her each a every", not_after="to best . , ; ) $"),
    pairs("preceding/succeeding preceded_by/followed_by"),
    one_way("precedes", "follows"),
    pairs("smaller/larger smallest/largest shorter/longer shortest/longest", not_before="no any"),
    pairs("minimum/maximum lowest/highest minimize/maximize minimizes/maximizes minimizing/maximizing"),
    pairs("at_least/at_most", not_after="according as in for when to , . if not is"),
    pairs("less_than/greater_than lower_than/higher_than fewer_than/more_than", not_before="no"),
    pairs("or_more/or_fewer or_later/or_earlier or_newer/or_older"),
    both_ways("beginning", "end", before="the", after="of . , ; ) $"),
    both_ways("start", "end", before="the", after=_POINT),
    both_ways(
        "starting",
        "ending",
        before="the a",
        after="point index position offset time date line column node address value",
    ),
    pairs("starts_with/ends_with start_with/end_with starting_with/ending_with"),
    both_ways("initial", "final", before="the its an a", not_after="class classes"),
    pairs("faster/slower slowest/fastest faster_than/slower_than"),
    pairs("prior_to/subsequent_to"),
    pairs("prefix/suffix prefixes/suffixes prefixed/suffixed"),
    pairs(
        "leading/trailing",
        after=(
            "whitespace zeros zero spaces space slash slashes newline newlines dot dots blank characters "
            "underscore underscores dimension dimensions dim dims axis axes comma commas and edge digits bytes "
            "bits separator dash"
        ),
    ),
    pairs("head/tail", before="the", after="of"),
)


def turned(s: Sentence) -> Iterator[str]:
    """The text with one word of order turned into its opposite."""
    return flipped(s, _FLIPS)
