"""The edit-word baseline: how well the words that an edit adds or takes away tell the labels apart, without a model.

A test set on which it is good says little: what separates there may be a few words and not what the texts say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compret.metrics.words import words

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def edit_word_scores(
    anchors: Sequence[str], candidates: Sequence[str], labels: ArrayLike, folds: int = 5, seed: int = 42
) -> Floats | None:
    """Score of each pair, `(P,)`, by a linear model that was fitted on pairs of other texts; higher for label 1.

    Texts are bags of words, so that a change of order alone is no edit. Pairs that share a text stand in one fold, and
    so do those that are linked by others, such as all pairs of a written item.

    Args:
        labels: `(P,)`, 1 for a paraphrase, 0 for a near-miss.
        folds: as many as there are groups of linked pairs, where there are fewer.
        seed: of the draw of the folds.

    Returns:
        None unless both labels and two groups occur.
    """
    labels_P = np.asarray(labels, dtype=np.int64)
    groups, group_P = linked(anchors, candidates)
    folds = min(folds, groups)
    if folds < 2 or len(set(labels_P.tolist())) < 2:
        return None
    fold_P = np.random.default_rng(seed).permutation(groups)[group_P] % folds
    edits_PW, scores_P = signed_words(anchors, candidates), np.zeros(len(labels_P))
    for fold in range(folds):
        fitted, held = np.flatnonzero(fold_P != fold), np.flatnonzero(fold_P == fold)
        weights_W, bias = logistic_regression(edits_PW[fitted], labels_P[fitted])
        scores_P[held] = edits_PW[held] @ weights_W + bias
    return scores_P


def linked(anchors: Sequence[str], candidates: Sequence[str]) -> tuple[int, Labels]:
    """The number of groups of pairs that share texts, also by way of others, and the group of each pair, `(P,)`."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    place = {text: i for i, text in enumerate(dict.fromkeys([*anchors, *candidates]))}
    rows_P, columns_P = (np.array([place[text] for text in side], dtype=np.int64) for side in (anchors, candidates))
    graph = coo_array((np.ones(len(rows_P)), (rows_P, columns_P)), shape=(len(place), len(place)))
    groups, group_T = connected_components(graph, directed=False)
    return int(groups), group_T[rows_P].astype(np.int64)


def signed_words(anchors: Sequence[str], candidates: Sequence[str]) -> Any:
    """A sparse matrix `(P, W)`: how often each pair's edit adds or takes away a word.

    A word that is added and the same word taken away are two of the W columns: to add `not` is no less an edit than to
    take it away.
    """
    from scipy.sparse import csr_array

    column: dict[tuple[str, bool], int] = {}
    counts: list[int] = []
    columns, ends = [], [0]
    for anchor, candidate in zip(anchors, candidates, strict=True):
        before, after = Counter(words(anchor)), Counter(words(candidate))
        for added, change in ((True, after - before), (False, before - after)):
            counts += change.values()
            columns += [column.setdefault((word, added), len(column)) for word in change]
        ends.append(len(counts))
    shape = (len(anchors), max(1, len(column)))
    return csr_array((np.array(counts, dtype=np.float64), np.array(columns, dtype=np.int64), ends), shape=shape)


def logistic_regression(features_PW: Any, labels: ArrayLike, penalty: float = 1.0) -> tuple[Floats, float]:
    """Weights `(W,)` and bias of least log loss + penalty / 2 * |weights|^2, summed over pairs (scikit-learn's C = 1).

    The loss is convex, so that the result does not hang on where the search begins (Byrd et al. 1995, L-BFGS-B). With
    one label alone the weights are 0.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    sign_P = 2.0 * np.asarray(labels, dtype=np.float64) - 1
    nothing_W = np.zeros(features_PW.shape[1])
    if len(set(sign_P.tolist())) < 2:
        return nothing_W, 0.0

    def loss(x: Floats) -> tuple[float, Floats]:
        margin_P = sign_P * (features_PW @ x[:-1] + x[-1])
        pull_P = -sign_P * expit(-margin_P)
        gradient = np.append(features_PW.T @ pull_P + penalty * x[:-1], pull_P.sum())
        return float(np.logaddexp(0, -margin_P).sum() + penalty / 2 * x[:-1] @ x[:-1]), gradient

    found = minimize(loss, np.append(nothing_W, 0.0), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    return found[:-1], float(found[-1])
