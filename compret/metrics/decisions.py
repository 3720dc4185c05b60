"""What accepting some of P pairs costs: near-misses let in and paraphrases lost, each share with an interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Share:
    """So many of so many; share and interval are None of none."""

    count: int
    of: int
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Decisions:
    """What became of the near-misses and of the paraphrases."""

    false_accepts: Share
    """Of the near-misses, those that were accepted."""
    lost: Share
    """Of the paraphrases, those that were not."""


def share(count: int, of: int, confidence: float = 0.95) -> Share:
    """A share in [0, 1] with its Wilson score interval (Wilson 1927).

    It takes the pairs for independent: where they share texts, as those of a written item do, it is too narrow.
    """
    from scipy.stats import binomtest

    if not of:
        return Share(count, of, None, None, None)
    interval = binomtest(count, of).proportion_ci(confidence, method="wilson")
    return Share(count, of, count / of, float(interval.low), float(interval.high))


def decisions(accepted: ArrayLike, labels: ArrayLike) -> Decisions:
    """What the acceptance of pairs did.

    Args:
        accepted: `(P,)`, whether each pair was called the same.
        labels: `(P,)`, 1 for a paraphrase, 0 for a near-miss.
    """
    accepted_P, same_P = np.asarray(accepted, dtype=bool), np.asarray(labels) == 1
    if accepted_P.shape != same_P.shape:
        raise ValueError(f"{accepted_P.shape} decisions and {same_P.shape} labels")
    near_misses, paraphrases = int((~same_P).sum()), int(same_P.sum())
    return Decisions(
        share(int((accepted_P & ~same_P).sum()), near_misses), share(int((~accepted_P & same_P).sum()), paraphrases)
    )


def decisions_by_category(accepted: ArrayLike, labels: ArrayLike, categories: Sequence[str]) -> dict[str, Decisions]:
    """The same of each category's pairs, by name; a category may have one kind of pairs alone."""
    accepted_P, labels_P = np.asarray(accepted, dtype=bool), np.asarray(labels)
    category_P = np.array(categories, dtype=object)
    rows = {name: category_P == name for name in sorted(set(categories))}
    return {name: decisions(accepted_P[rows_P], labels_P[rows_P]) for name, rows_P in rows.items()}
