"""Place and direction turned round: left/right, above/below, inside/outside, horizontal/vertical."""

from __future__ import annotations

from collections.abc import Iterator

from compret.data.perturb.flips import both_ways, flipped, one_way, pairs, table
from compret.data.perturb.sentence import Sentence

_SIDED = (
    "side hand of edge border margin corner child subtree foot arm leg eye ear end operand neighbor neighbour half "
    "boundary bank wing button mouse bracket parenthesis sidebar panel pad padding shift lane paw shoulder knee "
    "singular eigenvector eigenvectors inverse multiplication column node hemisphere"
)
_HALF = (
    "of left right edge corner border row side margin level shelf part half end floor layer line boundary bunk "
    "rack drawer"
)
_UPPER = (
    "bound bounds limit limits triangular triangle left right half part corner edge level body deck floor lip "
    "arm diagonal hessenberg hand"
)
_REST = (
    "sitting standing lying laying resting placed parked sleeping sits stands rests lies perched seated sit "
    "stand sleeps"
)
_NOUN_START = "the a an this its their his her your each every another two three some"

_FLIPS = table(
    both_ways("left", "right", before="the to top bottom upper lower his her its their far front a", after=_SIDED),
    both_ways("left", "right", before="top bottom upper lower", after=". , ; ) $ corner"),
    pairs("to_the_left/to_the_right on_the_left/on_the_right from_the_left/from_the_right"),
    pairs("left_to_right/right_to_left from_left/from_right"),
    pairs("left-hand/right-hand leftmost/rightmost left-aligned/right-aligned left-most/right-most"),
    pairs(
        "above/below", after=_NOUN_START + " zero \0", not_before="the as see and or described mentioned shown listed"
    ),
    pairs("on_top_of/underneath"),
    one_way("underneath", "on top of", after=_NOUN_START),
    one_way("beneath", "above", after=_NOUN_START),
    pairs("top/bottom", before="the", after=_HALF),
    pairs("at_the_top/at_the_bottom topmost/bottommost"),
    pairs("inside/outside", not_before="the from", not_after=". , ; $ )"),
    pairs("inner/outer innermost/outermost interior/exterior inward/outward inwards/outwards internally/externally"),
    one_way("upper", "lower", after=_UPPER),
    one_way("lower", "upper", after=_UPPER, not_before="to and"),
    pairs(
        "upper-left/lower-left upper-right/lower-right lower-left/upper-left lower-right/upper-right "
        "top-left/bottom-left"
    ),
    pairs("top-right/bottom-right"),
    pairs("horizontal/vertical horizontally/vertically clockwise/counterclockwise clockwise/counter-clockwise"),
    pairs("upward/downward upwards/downwards upstairs/downstairs upstream/downstream uphill/downhill indoors/outdoors"),
    pairs(
        "forward/backward forwards/backwards",
        not_after=_NOUN_START + " compatible compatibility slash to and declaration reference",
        not_before="$ . look looking put straight carry",
    ),
    pairs(
        "north/south northern/southern northwest/southwest northeast/southeast northwards/southwards "
        "northward/southward"
    ),
    pairs("east/west eastern/western eastward/westward eastwards/westwards"),
    pairs("in_front_of/behind", not_after="it . , ; $"),
    pairs("rows/columns row/column", before="the each every given per", not_after="names name"),
    pairs("width/height", before="the and its a total"),
    one_way("near", "far from", after="the a an", not_before="or and"),
    pairs("close_to/far_from", after="the a an", before="is are was were standing sitting located not too"),
    *(one_way(f"{verb} on", f"{verb} under", after="the a an his her its their") for verb in _REST.split()),
    *(one_way(f"{verb} under", f"{verb} on", after="the a an his her its their") for verb in _REST.split()),
    both_ways("looking up", "looking down", after="at toward towards into"),
    *(
        both_ways(f"{verb} up", f"{verb} down")
        for verb in "going walking climbing riding skiing pointing facing".split()
    ),
    both_ways(
        "parent", "child", after="node nodes process processes class element directory folder window task thread"
    ),
    pairs("ancestor/descendant ancestors/descendants"),
)


def moved(s: Sentence) -> Iterator[str]:
    """The text with one word of place or direction turned into its opposite."""
    return flipped(s, _FLIPS)
