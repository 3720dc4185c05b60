"""Quantity: another number, or another quantifier."""

from __future__ import annotations

from compret.perturb.edit import replaced
from compret.perturb.grammar import asks
from compret.perturb.numbers import kind
from compret.perturb.tables import flipped, table
from compret.perturb.types import Edits, Random, Span, Token


class Quantity:
    category, label, nothing = "quantity", 0, "no number or quantifier that can be changed"

    def apply(self, sent: Span, rng: Random) -> Edits:
        if not asks(sent):
            yield from flipped(sent, "quantity")
        yield from (replaced(sent, {t.i: _other(t, rng)}) for t in sent if kind(t))


def _other(token: Token, rng: Random) -> str:
    """A number that is clearly another one, of about the same size."""
    if token.lower_ in table("number"):
        word = table("number")[token.lower_][0].other
        return word.capitalize() if token.text[0].isupper() else word
    value = int(token.text.replace(",", ""))
    other = value - rng.randint(3, 30) if kind(token) == "year" else round(value * rng.choice([0.5, 0.7, 1.4, 1.8]))
    other = max(2, other) if max(2, other) != value else value + 2
    return f"{other:,}" if "," in token.text else str(other)
