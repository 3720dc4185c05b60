"""Near-miss pairs for the page's browser: those on which systems disagree most, or which most get wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compret.report.collect import System
from compret.report.evidence import Evidence
from compret.report.targets import Target
from compret.types import UserError

MOST = 240
"""Pairs of all sets together."""
_LONGEST = 600
"""Characters of a text."""


@dataclass(frozen=True)
class Scores:
    """A system's scores of a set, mean over seeds, `(P,)`, and their places among all, in [0, 1]."""

    scores_P: NDArray[np.float64]
    places_P: NDArray[np.float64]


def examples(evidence: Evidence) -> dict[str, Any]:
    """What the page's script reads: systems, and pairs with a score and a place of each system, or null."""
    sets = evidence.of_kind("nearmiss")
    found = [pair for target in sets for pair in _of_set(evidence, target, MOST // len(sets))]
    return {"systems": [system.name for system in evidence.systems], "pairs": found} if found else {}


def _of_set(evidence: Evidence, target: Target, most: int) -> list[dict[str, Any]]:
    scored = [_scores(evidence, system, target) for system in evidence.systems]
    some = next((i for i, one in enumerate(scored) if one), None)
    if some is None:
        return []
    texts = evidence.pairs(evidence.runs_of(evidence.systems[some], target)[0], target).texts
    return [
        {
            "set": target.name,
            "anchor": texts.anchors[i][:_LONGEST],
            "candidate": texts.candidates[i][:_LONGEST],
            "label": int(texts.labels_P[i]),
            "category": texts.categories[i],
            "scores": [None if one is None else round(float(one.scores_P[i]), 4) for one in scored],
            "places": [None if one is None else round(float(one.places_P[i]), 3) for one in scored],
        }
        for i in _chosen([one for one in scored if one], texts.labels_P, texts.categories, most)
    ]


def _chosen(scored: Sequence[Scores], labels_P: NDArray[np.int64], categories: Sequence[str], most: int) -> list[int]:
    """Pairs by turns of the categories, those first whose places are farthest from their label, or from each other."""
    places_SP = np.stack([one.places_P for one in scored])
    wrong_P = np.abs(places_SP - labels_P).mean(0) + places_SP.std(0)
    by_category: dict[str, list[int]] = {}
    for i in np.argsort(-wrong_P, kind="stable").tolist():
        by_category.setdefault(categories[i], []).append(i)
    turns = [(turn, name, i) for name, rows in by_category.items() for turn, i in enumerate(rows)]
    return [i for _, _, i in sorted(turns, key=lambda one: one[:2])[:most]]


def _scores(evidence: Evidence, system: System, target: Target) -> Scores | None:
    """None where a system was not asked, or its file is not there."""
    try:
        pairs = [evidence.pairs(run, target) for run in evidence.runs_of(system, target)]
    except UserError:
        return None
    if not pairs:
        return None
    mean_P = np.stack([one.scores_P for one in pairs]).mean(0)
    places_P = np.searchsorted(np.sort(mean_P), mean_P, side="right") / len(mean_P)
    return Scores(mean_P, places_P)
