"""Words that stand for their opposites, each with the neighbours that show in which sense it is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from compret.data.perturb.sentence import Sentence


@dataclass(frozen=True)
class Flip:
    """One word or phrase, what it turns into, and the words before and after that allow or forbid it."""

    words: tuple[str, ...]
    others: tuple[str, ...]
    before: frozenset[str]
    after: frozenset[str]
    not_before: frozenset[str]
    not_after: frozenset[str]

    def fits(self, s: Sentence, index: int) -> bool:
        end = index + len(self.words)
        if s.low[index:end] != self.words or s.joined(index) or s.joined(end - 1):
            return False
        if s.tokens[index][:1].isupper() and not s.opens(index):
            return False
        before, after = s.at(index - 1), s.at(end)
        if (self.before and before not in self.before) or (self.after and after not in self.after):
            return False
        return before not in self.not_before and after not in self.not_after


Table = Mapping[str, tuple[Flip, ...]]


def one_way(
    words: str, others: str, before: str = "", after: str = "", not_before: str = "", not_after: str = ""
) -> Flip:
    """A flip; neighbours are words apart by spaces, `$` stands for the begin or end of the text."""
    sets = (frozenset("" if w == "$" else w for w in x.split()) for x in (before, after, not_before, not_after))
    return Flip(tuple(words.split()), tuple(others.split()), *sets)


def both_ways(words: str, others: str, **neighbours: str) -> tuple[Flip, Flip]:
    return one_way(words, others, **neighbours), one_way(others, words, **neighbours)


def table(*flips: Flip | Iterable[Flip]) -> Table:
    """Flips by their first word, longest phrase first."""
    flat = [flip for entry in flips for flip in ((entry,) if isinstance(entry, Flip) else entry)]
    firsts = dict.fromkeys(flip.words[0] for flip in flat)
    return {w: tuple(sorted((f for f in flat if f.words[0] == w), key=lambda f: -len(f.words))) for w in firsts}


def pairs(text: str, **neighbours: str) -> list[Flip]:
    """Two-way flips from `a/b` entries apart by spaces; `_` joins the words of a phrase."""
    entries = (entry.replace("_", " ").split("/") for entry in text.split())
    return [flip for left, right in entries for flip in both_ways(left, right, **neighbours)]


def flipped(s: Sentence, flips: Table) -> Iterator[str]:
    """The text with one word turned; none where its opposite stands in the text as well."""
    for index, low in enumerate(s.low):
        for flip in flips.get(low, ()):
            if flip.fits(s, index):
                if not _has(s, flip.others):
                    yield s.edit((index, index + len(flip.words), flip.others))
                break


def _has(s: Sentence, words: tuple[str, ...]) -> bool:
    first = words[0]
    return any(low == first and s.low[i : i + len(words)] == words for i, low in enumerate(s.low))
