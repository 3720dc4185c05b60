"""Which texts of a large set are nearly those of a small one: most words in common, or a long run of words."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

SAME = 0.8
"""The Jaccard index of two texts' words from which they are near-identical."""
RUN = 13
"""So many words in a row that two documents share are a copy, as in Brown et al. 2020, arXiv 2005.14165, appendix C."""
_PROBE = RUN // 2 + 1


def normalised(text: str) -> str:
    """Lower case, words only: what two texts must differ in to count as different."""
    return " ".join(re.findall(r"\w+", text.lower()))


class NearTexts:
    """Tells whether a text's words have a Jaccard index of at least `least` with one of some texts.

    Exact: two sets that are that near share one of their rarest words (Chaudhuri et al. 2006, prefix filtering).
    """

    def __init__(self, texts: Iterable[str], least: float = SAME) -> None:
        self.least = least
        self.sets = [frozenset(normalised(text).split()) for text in texts]
        self.counts = Counter(word for words in self.sets for word in words)
        self.index: defaultdict[str, list[frozenset[str]]] = defaultdict(list)
        for words in self.sets:
            for word in self._rarest(words):
                self.index[word].append(words)

    def __contains__(self, text: str) -> bool:
        words = frozenset(normalised(text).split())
        found = (other for word in self._rarest(words) for other in self.index.get(word, ()))
        return any(len(words & other) >= self.least * len(words | other) for other in found)

    def _rarest(self, words: frozenset[str]) -> list[str]:
        take = len(words) - math.ceil(self.least * len(words)) + 1
        return sorted(words, key=lambda word: (self.counts[word], word))[:take]


class SharedRuns:
    """Tells whether a document shares `RUN` words in a row with one of some documents, or all of a shorter one's."""

    def __init__(self, texts: Iterable[str]) -> None:
        documents = [text.lower().split() for text in texts]
        self.probes = {tuple(d[i : i + _PROBE]) for d in documents for i in range(len(d) - _PROBE + 1)}
        self.runs = {tuple(d[i : i + RUN]) for d in documents for i in range(max(1, len(d) - RUN + 1))}

    def __contains__(self, text: str) -> bool:
        words = text.lower().split()
        if tuple(words) in self.runs:
            return True
        # every shared run of 13 words holds a whole 7 at a multiple of 7
        return any(
            tuple(words[i : i + _PROBE]) in self.probes and self._near(words, i) for i in range(0, len(words), _PROBE)
        )

    def _near(self, words: Sequence[str], place: int) -> bool:
        starts = range(max(0, place - RUN + _PROBE), place + 1)
        return any(tuple(words[i : i + RUN]) in self.runs for i in starts)
