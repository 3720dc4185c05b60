"""Contractions: `is not` and `isn't`, `it is` and `it's`."""

from __future__ import annotations

import re

from compret.perturb.edit import arranged, tokenised
from compret.perturb.grammar import asks
from compret.perturb.tables import flips
from compret.perturb.types import Edits, Random, Skip, Span

_CUT = re.compile(r"(n't|'\w+)$")


class Contractions:
    category, label, nothing = "contractions", 1, "nothing to contract or to spell out"

    def apply(self, sent: Span, rng: Random) -> Edits:
        if asks(sent):
            raise Skip("a question")
        for (start, end), words in flips(sent, self.category):
            cut = _CUT.sub(r" \1", words) if tokenised(sent) else words
            yield arranged(sent, [(sent.start, start), cut, (end, sent.end)])
