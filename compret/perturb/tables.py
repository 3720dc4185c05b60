"""The tables of tables.tsv: words that are put in each other's place, and lists of words that rules leave alone."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from compret.perturb.edit import arranged
from compret.perturb.types import Edits, Random, Range, Span

_AROUND = 3


@dataclass(frozen=True)
class Entry:
    """A line: the words, what stands in their place (or their class), and where that may be done."""

    words: tuple[str, ...]
    other: str
    tag: re.Pattern[str]
    """The Penn tag of the first word."""
    need: re.Pattern[str]
    """Found in the three words before, `_` and the three words behind, in lower case."""
    unless: re.Pattern[str]


@cache
def table(name: str) -> Mapping[str, Sequence[Entry]]:
    """The entries of a table by their first word."""
    text = files("compret.perturb").joinpath("tables.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if line.startswith(name + "\t")]
    found = defaultdict(list)
    for _, words, other, tag, need, unless in (row + [""] * (6 - len(row)) for row in rows):
        patterns = rf"(?:{tag or '.+'})$", rf"(?<!\w)(?:{need})" if need else "", rf"(?<!\w)(?:{unless or '(?!)'})"
        found[words.split()[0]].append(Entry(tuple(words.split()), other, *map(re.compile, patterns)))
    return found


@cache
def classes(name: str) -> Mapping[str, str]:
    """Word -> class, in a table of words in classes."""
    return {word: entry.other for group in table(name).values() for entry in group for word in entry.words}


@cache
def listed(name: str) -> frozenset[str]:
    """The words of a table that is a list."""
    return frozenset(classes(name))


def flips(sent: Span, name: str) -> Iterator[tuple[Range, str]]:
    """Each place where a table's entry fits: the tokens and the words for them."""
    lower = [token.lower_ for token in sent]
    for i, word in enumerate(lower):
        for entry in table(name).get(word, ()):
            end = i + len(entry.words)
            around = " ".join([*lower[max(0, i - _AROUND) : i], "_", *lower[end : end + _AROUND]])
            fits = tuple(lower[i:end]) == entry.words and entry.tag.match(sent[i].tag_)
            if fits and entry.need.search(around) and not entry.unless.search(around):
                capital = sent[i].text[0].isupper()
                yield (
                    (sent[i].i, sent[i].i + end - i),
                    entry.other[0].upper() + entry.other[1:] if capital else entry.other,
                )


def flipped(sent: Span, name: str) -> Iterator[str]:
    """The sentence with one entry of a table in the place of its words."""
    for (start, end), words in flips(sent, name):
        yield arranged(sent, [(sent.start, start), words, (end, sent.end)])


class Flip:
    """A rule that is a table of its category's name."""

    category: str

    def apply(self, sent: Span, rng: Random) -> Edits:
        yield from flipped(sent, self.category)
