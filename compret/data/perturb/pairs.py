"""Rows made of the rules: structural negatives for training; near-miss pairs whose two kinds share as many words."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from typing import TypeAlias

from compret.data.perturb.paraphrase import paraphrase, paraphrases
from compret.data.perturb.rules import Perturbation, perturb_each, perturbations
from compret.data.perturb.sentence import normalised
from compret.metrics.nearmiss import jaccard

Row: TypeAlias = dict[str, str | int]

_NEAR, _FAR = 0.01, 0.05
"""Pairs whose word overlaps differ by no more than the first are equal; by more than the second they are not taken."""
_NEGATED = 0.4
"""The share of sentences that are tried for negation: nearly all can be negated, and `thinned` keeps few of those."""
_STEPS = 6
"""How many of a text's rewordings are reworded or perturbed once more."""


def structural_negatives(texts: Sequence[str], seed: int) -> list[Row]:
    """Identity rows: anchor, positive (the anchor itself, as the paper has it), negative, category; one a category.

    Negations are made of two fifths of the texts.
    """
    rows: list[Row] = []
    for text in texts:
        anchor = " ".join(text.split())
        rng = random.Random(f"{seed} {anchor}")
        skipped = () if rng.random() < _NEGATED else ("negation",)
        for made in perturb_each(anchor, rng, skipped):
            rows.append({"anchor": anchor, "positive": anchor, "negative": made.text, "category": made.category})
    return rows


def near_misses(texts: Sequence[str], seed: int) -> list[Row]:
    """Two rows an anchor: a paraphrase (label 1) and a near-miss (label 0) whose words overlap the anchor's as much.

    Both are made by rule. The paraphrase is one or two of the rewordings in `compret.data.perturb.paraphrase`; the
    near-miss is a perturbation of the anchor or of such a rewording, so that rewording alone is no sign of sameness.
    Rows have anchor, candidate, label and category; a paraphrase's category is that of its near-miss, so that a
    category's separation is that of the pairs made for it. An anchor without a matched pair gives no rows; three
    fifths of the anchors that can only be negated are left out.
    """
    rows: list[Row] = []
    for text in texts:
        anchor = " ".join(text.split())
        rng = random.Random(f"{seed} {anchor}")
        skipped = () if rng.random() < _NEGATED else ("negation",)
        pair = matched_pair(anchor, rng, skipped) if perturb_each(anchor, rng, skipped) else None
        if pair is not None:
            same, other = pair
            rows.append({"anchor": anchor, "candidate": same, "label": 1, "category": other.category})
            rows.append({"anchor": anchor, "candidate": other.text, "label": 0, "category": other.category})
    return rows


def matched_pair(anchor: str, rng: random.Random, skipped: Container[str] = ()) -> tuple[str, Perturbation] | None:
    """A paraphrase and a near-miss with nearly the same share of words in common with the anchor; else None.

    The rarer categories are tried before negation.
    """
    once = paraphrases(anchor)
    starts = rng.sample(once, min(_STEPS, len(once)))
    twice = [new for start in starts if (new := paraphrase(start, rng)) is not None]
    same = {normalised(text): text for text in [*once, *twice] if normalised(text) != normalised(anchor)}
    near = [made for start in (anchor, *starts) for made in perturbations(start) if made.category not in skipped]
    near = [made for made in near if normalised(made.text) not in {normalised(anchor), *same}]
    plain = [text for text in once if normalised(text).split()[1:] == normalised(anchor).split()[1:]]
    rich = [text for text in same.values() if text not in plain]
    for wanted in _ranked(anchor, near, rng):
        pair = _closest(anchor, rich, wanted, rng) or _closest(anchor, plain, wanted, rng)
        if pair is not None:
            return pair
    return None


def _ranked(anchor: str, near: Sequence[Perturbation], rng: random.Random) -> list[list[Perturbation]]:
    """The near-misses in groups to be tried in turn: the rare categories first, `Do not ...` last."""
    groups: dict[str, list[Perturbation]] = {}
    for made in near:
        forbids = made.text.startswith(("Do not ", "Does not ")) and not anchor.startswith("Do")
        groups.setdefault("zz" if forbids else made.category, []).append(made)
    names = sorted(groups)
    names = sorted(rng.sample(names, len(names)), key=lambda name: (name == "zz", name == "negation"))
    return [groups[name] for name in names]


def thinned(rows: Iterable[Row], most: float, seed: int) -> list[Row]:
    """The rows with at most `most` times as many anchors of negation as of all other categories, drawn with the seed.

    Nearly every sentence can be negated; without this the other categories would drown.
    """
    groups = [list(group) for _, group in itertools.groupby(rows, key=lambda row: (row["anchor"], row["category"]))]
    counts = Counter(group[0]["category"] == "negation" for group in groups)
    keep = round(most * counts[False]) if counts[False] else counts[True]
    negations = [i for i, group in enumerate(groups) if group[0]["category"] == "negation"]
    dropped = set(negations) - set(random.Random(seed).sample(negations, min(keep, len(negations))))
    return [row for i, group in enumerate(groups) if i not in dropped for row in group]


def _closest(
    anchor: str, same: Sequence[str], near: Sequence[Perturbation], rng: random.Random
) -> tuple[str, Perturbation] | None:
    """The pair whose overlaps with the anchor are closest, ties drawn; None where even that is too far apart."""
    overlaps = [(jaccard(anchor, text), text) for text in same]
    gaps = [
        (max(_NEAR, abs(jaccard(anchor, made.text) - overlap)), text, made)
        for overlap, text in overlaps
        for made in near
    ]
    least = min((gap for gap, _, _ in gaps), default=1.0)
    if least > _FAR:
        return None
    _, text, made = rng.choice([entry for entry in gaps if entry[0] == least])
    return text, made
