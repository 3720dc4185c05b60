"""Double negation: `impossible` and `not possible`, only where the two exclude each other and leave nothing between."""

from __future__ import annotations


from compret.perturb.grammar import asks
from compret.perturb.tables import flipped
from compret.perturb.types import Edits, Random, Skip, Span


class DoubleNegation:
    category, label = "double-negation", 1

    def apply(self, sent: Span, rng: Random) -> Edits:
        made = [] if asks(sent) else list(flipped(sent, "double"))
        yield from made or [Skip("no word whose opposite leaves nothing between")]
