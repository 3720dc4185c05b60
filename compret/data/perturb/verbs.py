"""English verbs that docstrings and captions use, and their forms: third person, past, participle, gerund."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Verbs whose base or third-person form is hardly ever a noun or an adjective: they are verbs wherever they stand.
_PLAIN = """
abort absorb accept achieve acquire act activate adapt add adjust advertise aggregate align allocate allow analyze
annotate appear append apply approximate arrange assemble assert assign associate assume attach attempt authenticate
avoid backpropagate become begin behave belong bind bootstrap break bring build calculate cancel carry cast cause
choose clean clone close coerce collapse collect combine commit communicate compare compile complete compose compress
compute concatenate configure confirm connect consist construct consume contain convert correspond count create
customize deactivate deal decide declare decode decompose decompress decrease decrement decrypt deduplicate define
delegate delete deliver denote depend deprecate dequantize derive describe deserialize destroy detach detect determine
differ disable disallow discard disconnect display distinguish distribute divide draw eliminate emit emulate enable
encapsulate enclose encode encounter encrypt enforce enhance ensure enter enumerate equal erase establish evaluate
examine exceed exclude execute exist exit expand expect expose express extend extract facilitate factorize fail fetch
finalize find flatten flush follow forbid forget freeze fuse gather generate get give grab guarantee guess happen help
hide hold identify ignore illustrate implement imply import improve incorporate increase increment indicate infer
inform inherit inhibit initialize inject insert inspect install instantiate integrate intend intercept interpret
introduce invalidate invert invoke involve iterate join keep know launch lead learn leave let limit listen load locate
maintain make manage manipulate maximize mean merge minimize modify move multiply need negate normalize notify obey
obtain occur offer omit open operate optimize organize overload override overwrite own pad parse perform permit
permute persist pick place plot populate post precede predict prefer prepare prepend preprocess preserve prevent
proceed produce prohibit promote propagate protect prove provide put quantize raise reach read realize rearrange
rebuild recalculate receive recompute reconstruct recover redirect reduce refer refine reformat refresh refuse
register reject relate release rely reload remain remember remove rename render reorder repeat replace represent
require rescale resemble reserve reset reshape resize resolve respect respond restart restore restrict retain retrieve
retry reuse reverse rewrite run satisfy save scan see seek seem select send separate serialize serve share shrink
simplify simulate skip solve specify split squeeze stay stop store strip subclass submit subtract succeed suggest
suppress supply synchronize take tell terminate throw toggle tokenize translate transpose traverse treat trigger
truncate try turn uncompress undo unescape uninstall unpack unregister unset unwrap update upgrade upload use utilize
validate vary verify visit visualize wait walk want warn wrap write yield disassemble reassign recreate redraw
""".split()

# Verbs that are as often a noun or an adjective: the words around must show which it is.
_NOUNLIKE = """
access alias alter answer approach average balance bar base batch benchmark block box branch broadcast buffer bundle
cache call capture cast chain change charge check clamp clear clip cluster code comment connect control copy correct
cover crop cross cut cycle damage date debug decorate default delay demand design diff dispatch do dot double drop dump
edit embed empty encounter end escape estimate exchange exercise export face feature feed figure file fill filter fire
fit fix flag flip fold force fork form format forward frame fuzz grant group grow guard hand handle hash head help hook
host index input insult interface issue key kill label land last lay level lift line link list live lock log look
loop lower map mark mask match measure mirror mock model monitor mutate name nest note number object offset order
output pack page paint parallel park parameter partition pass paste patch pause pin pipe plan play point poll pool pop
position present print probe process program project prompt proxy prune pull push query question queue race rank rate
record reference regard report request reserve rest result return ride roll root round route sample scale schedule
score search set shape shard shift show sign signal slice sleep smooth snap sort sound source space stack stage stamp
stand start state step strike study sum support surround surface swap switch sync table tag target task test thread
time touch trace track trade train transfer transform trim tune type value vote warp watch weight work yield
""".split()

_IRREGULAR = {
    base: tuple(forms.split("/"))
    for base, forms in (
        entry.split(":")
        for entry in """
        be:was/been become:became/become begin:began/begun bind:bound/bound bite:bit/bitten blow:blew/blown
        break:broke/broken bring:brought/brought build:built/built buy:bought/bought cast:cast/cast catch:caught/caught
        choose:chose/chosen come:came/come cut:cut/cut deal:dealt/dealt do:did/done draw:drew/drawn drive:drove/driven
        eat:ate/eaten fall:fell/fallen feed:fed/fed feel:felt/felt fight:fought/fought find:found/found fly:flew/flown
        forbid:forbade/forbidden forget:forgot/forgotten freeze:froze/frozen get:got/gotten give:gave/given go:went/gone
        grow:grew/grown hang:hung/hung have:had/had hear:heard/heard hide:hid/hidden hit:hit/hit hold:held/held
        keep:kept/kept know:knew/known lay:laid/laid lead:led/led learn:learned/learned leave:left/left let:let/let
        lie:lay/lain lose:lost/lost make:made/made mean:meant/meant meet:met/met overwrite:overwrote/overwritten
        override:overrode/overridden pay:paid/paid put:put/put read:read/read rebuild:rebuilt/rebuilt
        redraw:redrew/redrawn reset:reset/reset rewrite:rewrote/rewritten ride:rode/ridden rise:rose/risen run:ran/run
        say:said/said see:saw/seen seek:sought/sought sell:sold/sold send:sent/sent set:set/set shoot:shot/shot
        show:showed/shown shrink:shrank/shrunk sing:sang/sung sink:sank/sunk sit:sat/sat sleep:slept/slept
        speak:spoke/spoken spend:spent/spent split:split/split stand:stood/stood stick:stuck/stuck strike:struck/struck
        swim:swam/swum take:took/taken teach:taught/taught tell:told/told think:thought/thought throw:threw/thrown
        undo:undid/undone unset:unset/unset input:input/input output:output/output offset:offset/offset
        drink:drank/drunk wear:wore/worn win:won/won write:wrote/written understand:understood/understood
        """.split()
    )
}

_ONE_SYLLABLE = re.compile(r"[^aeiou]*[aeiou][bdgklmnprtvz]")
_DOUBLED = frozenset(
    "begin bootstrap commit control debug embed emit forbid forget format infer input occur offset omit output permit "
    "prefer program refer reset submit transfer unset unwrap".split()
)
_EXTRA = """
be bite buy carry catch chase come defeat drink drive eat fly go hang have hit hug jump kick kiss lean lie lose love
meet overtake push ride say sell sing sit stay swim teach wear win
""".split()


_THIRD = {"be": "is", "have": "has", "do": "does", "go": "goes", "undo": "undoes"}


def third(base: str) -> str:
    """contain -> contains."""
    if base in _THIRD:
        return _THIRD[base]
    if re.search(r"(?:s|x|z|ch|sh)$", base):
        return base + "es"
    return re.sub(r"(?<=[^aeiou])y$", "ie", base) + "s"


def past(base: str) -> str:
    """contain -> contained, take -> took."""
    return _IRREGULAR[base][0] if base in _IRREGULAR else _stem(base, silent_e=True) + "ed"


def participle(base: str) -> str:
    """contain -> contained, take -> taken."""
    return _IRREGULAR[base][1] if base in _IRREGULAR else _stem(base, silent_e=True) + "ed"


def gerund(base: str) -> str:
    """contain -> containing, take -> taking."""
    if base in ("be", "see", "free", "guarantee"):
        return base + "ing"
    if base in ("lie", "die", "tie"):
        return base[:-2] + "ying"
    return _stem(base, silent_e=False) + "ing"


def _stem(base: str, silent_e: bool) -> str:
    """The form to which -ed (`silent_e`) or -ing goes."""
    if base.endswith("e"):
        return base[:-1]
    if silent_e:
        base = re.sub(r"(?<=[^aeiou])y$", "i", base)
    double = base in _DOUBLED or _ONE_SYLLABLE.fullmatch(base)
    return base + base[-1] if double else base


NOUNLIKE = frozenset(_NOUNLIKE) - frozenset(_PLAIN)
VERBS = frozenset(_PLAIN) | NOUNLIKE | frozenset(_EXTRA)
THIRD: Mapping[str, str] = {third(verb): verb for verb in sorted(VERBS)}
PAST: Mapping[str, str] = {past(verb): verb for verb in sorted(VERBS) if past(verb) not in VERBS}
PARTICIPLE: Mapping[str, str] = {participle(verb): verb for verb in sorted(VERBS) if participle(verb) not in VERBS}
GERUND: Mapping[str, str] = {gerund(verb): verb for verb in sorted(VERBS)}
LEMMA: Mapping[str, str] = {**PAST, **PARTICIPLE, **GERUND, **THIRD, **{verb: verb for verb in sorted(VERBS)}}
"""Any form -> base form."""

# Plain verbs as imperatives, but plurals of nouns with an s.
_PLURALS = """
act add attempt break build cast cause clone commit connect decrease decrement display draw equal exit fetch find flush
format freeze grab guarantee guess help hold import increase increment insert install join keep launch lead learn leave
limit listen load merge move need overload override pad pick place plot post pull push raise reach read refresh release
reload render repeat reset restart retry reverse run save scan see share skip split stay stop store strip subclass
supply take tell throw toggle transform trigger try turn update upgrade upload use visit wait walk want warn wrap write
yield experience fall fly ride sit swim sell win wear sing kick jump hug drink drive catch
""".split()
NOUNLIKE_THIRD = frozenset(third(verb) for verb in [*NOUNLIKE, *_PLURALS])
"""returns, calls, lists: a verb after `that` or `it`, else perhaps a plural."""


def is_participle(word: str) -> bool:
    return word in PARTICIPLE or (word.endswith("ed") and len(word) > 4)


def is_gerund(word: str) -> bool:
    return word in GERUND or (word.endswith("ing") and len(word) > 5)
