"""AUROC as a sum over pairs of texts, so that it can be tested and resampled like a mean over queries.

P pairs, U groups of pairs that share a text. NumPy alone: reports use it, and import no torch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compret.metrics.near_miss import checked

Floats = NDArray[np.float64]


def placements(scores: ArrayLike, labels: ArrayLike) -> Floats:
    """Where each pair stands among those of the other label, `(P,)` in [0, 1] (DeLong et al. 1988).

    Of a paraphrase: the share of near-misses that score lower, of a near-miss: the share of paraphrases that score
    higher; equal scores count half. Either label's mean is the AUROC. Both labels must occur.
    """
    scores_P, labels_P = checked(scores, labels, "scores")
    return _placed(scores_P, scores_P, labels_P == 1)


def unit_values(scores: ArrayLike, labels: ArrayLike, units: ArrayLike) -> Floats:
    """A number for each group of pairs, `(U,)`: their mean is the AUROC, their spread how it varies with the groups.

    To first order, as in DeLong's variance for clustered data (Obuchowski 1997): AUROC + U times the group's share in
    the deviations of both labels' means.
    """
    placed_P = placements(scores, labels)
    labels_P = np.asarray(labels) == 1
    auroc = float(placed_P[labels_P].mean())
    return auroc + _per_unit((placed_P - auroc) / _size_of_label(labels_P), units)


def swap_values(a: ArrayLike, b: ArrayLike, labels: ArrayLike, units: ArrayLike) -> Floats:
    """A number for each group, `(U,)`, whose mean is AUROC(a) - AUROC(b), also when groups change sides.

    Where two systems' ranks of a group's pairs are swapped, the difference is the same mean with the other sign for
    that group, exactly: an AUROC sums over paraphrase and near-miss, and each term of
    ((s_i + s_j) (a_i a_j - b_i b_j) + (s_i - s_j) (a_i b_j - b_i a_j)) / 2 is linear in the signs. So a sign-flip test
    of these is the permutation test that swaps systems. Scores become ranks first, since systems have scales of their
    own.
    """
    a_P, b_P = (_ranks(checked(scores, labels, "scores")[0]) for scores in (a, b))
    positive_P = np.asarray(labels) == 1
    own_P = _placed(a_P, a_P, positive_P) - _placed(b_P, b_P, positive_P)
    crossed_P = _placed(a_P, b_P, positive_P) - _placed(b_P, a_P, positive_P)
    share_P = (own_P + crossed_P) / 2 / _size_of_label(positive_P)
    return _per_unit(share_P, units)


def connected(anchors: Sequence[str], candidates: Sequence[str]) -> NDArray[np.int64]:
    """The group of each pair, `(P,)` from 0: pairs that share a text, also by way of others, are no two witnesses."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number: dict[str, int] = {}
    sides = [[number.setdefault(text, len(number)) for text in texts] for texts in (anchors, candidates)]
    graph = coo_array((np.ones(len(anchors)), sides), shape=(len(number), len(number)))
    group: list[int] = connected_components(graph, directed=False)[1].tolist()
    first: dict[int, int] = {}
    return np.array([first.setdefault(group[text], len(first)) for text in sides[0]], dtype=np.int64)


def _placed(own_P: Floats, others_P: Floats, positive_P: NDArray[np.bool_]) -> Floats:
    """Each pair by its own score among the others' scores of the other label."""
    if positive_P.all() or not positive_P.any():
        raise ValueError("an AUROC needs both labels")
    placed_P = np.empty(len(own_P))
    for mine, sign in ((positive_P, 1), (~positive_P, -1)):
        others = np.sort(sign * others_P[~mine])
        below, upto = (np.searchsorted(others, sign * own_P[mine], side) for side in ("left", "right"))
        placed_P[mine] = (below + upto) / 2 / len(others)
    return placed_P


def _ranks(scores_P: Floats) -> Floats:
    """Mean ranks, as scipy's rankdata, whose import takes a second."""
    _, place_P, counts = np.unique(scores_P, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[place_P], dtype=np.float64)


def _size_of_label(positive_P: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.where(positive_P, int(positive_P.sum()), int((~positive_P).sum()))


def _per_unit(shares_P: Floats, units: ArrayLike) -> Floats:
    numbers = np.asarray(units)
    return np.bincount(numbers, shares_P).astype(np.float64) * (int(numbers.max()) + 1)
