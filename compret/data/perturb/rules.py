"""The perturbations of a text: every rule's edits by category, and one of them drawn at random."""

from __future__ import annotations

import random
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass

from compret.data.perturb import negation, order, polarity, spatial, swap
from compret.data.perturb.sentence import Sentence, normalised, parse

Rule = Callable[[Sentence], Iterator[str]]

RULES: Mapping[str, tuple[Rule, ...]] = {
    "negation": (
        negation.put_in,
        negation.take_out,
        polarity.opposite,
        polarity.companion,
        polarity.unless,
        polarity.quantity,
        negation.forbid,
    ),
    "role-swap": (swap.swapped,),
    "spatial": (spatial.moved,),
    "order": (order.turned,),
}
"""Category -> its rules."""

_LAST: frozenset[Rule] = frozenset({negation.forbid})
"""Rules that fit nearly every docstring and are drawn only where no other of their category applies."""


@dataclass(frozen=True)
class Perturbation:
    """A text that nearly matches its anchor and means something else."""

    text: str
    category: str
    """negation, role-swap, spatial or order."""


def perturb(text: str, rng: random.Random) -> Perturbation | None:
    """One perturbation of a text, its category drawn first, then its rule, then the place; None where no rule applies.

    The result differs from the text in its words, not by case, marks or white space alone. White space becomes single
    spaces. Code-like tokens (identifiers, dotted names, calls, literals, roles, paths) may move and never change.
    """
    s = parse(text)
    drawn = (_draw(s, category, rng) for category in rng.sample(list(RULES), len(RULES)))
    return next((found for found in drawn if found is not None), None)


def perturb_each(text: str, rng: random.Random, skipped: Container[str] = ()) -> list[Perturbation]:
    """One perturbation of each category that applies and is not skipped, drawn as `perturb` does, rules in order."""
    s = parse(text)
    drawn = [_draw(s, category, rng) for category in RULES if category not in skipped]
    return [found for found in drawn if found is not None]


def perturbations(text: str) -> list[Perturbation]:
    """All perturbations of a text, without repeats, in the order of the rules and of their places in the text."""
    s = parse(text)
    seen = {normalised(s.text)}
    found = []
    for category, rules in RULES.items():
        for new in (new for rule in rules for new in rule(s)):
            key = normalised(new)
            if key not in seen:
                seen.add(key)
                found.append(Perturbation(new, category))
    return found


def _draw(s: Sentence, category: str, rng: random.Random) -> Perturbation | None:
    same = normalised(s.text)
    rules = RULES[category]
    for rule in sorted(rng.sample(rules, len(rules)), key=_LAST.__contains__):
        found = [new for new in dict.fromkeys(rule(s)) if normalised(new) != same]
        if found:
            return Perturbation(rng.choice(found), category)
    return None
