"""How well scores tell paraphrases (label 1) from near-misses (label 0): P pairs, float64 throughout.

A metric that the pairs do not define (one class only, no pair at all) is None, never NaN.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compret.metrics.words import words

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def near_miss_metrics(
    scores: ArrayLike,
    labels: ArrayLike,
    categories: Sequence[str],
    anchors: Sequence[str],
    overlap: ArrayLike,
    threshold: float | None,
    edit_words: ArrayLike | None = None,
) -> dict[str, Any]:
    """All metrics of one set, and of each category under "categories".

    A category's row sets the near-misses of that category against its own paraphrases; where it has none, as in sets
    that keep all of them in a category of their own, against all of the set. One without a near-miss has no row.

    Args:
        scores: `(P,)`, higher for closer in meaning; any finite numbers.
        labels: `(P,)`, 1 for a paraphrase, 0 for a near-miss.
        overlap: `(P,)`, word overlap of each pair (`jaccard`), whose AUROC says how much of the task it solves alone.
        threshold: at or above it a pair is called a paraphrase. It comes from validation pairs (`best_f1_threshold`);
            without it f1 is None, since a threshold chosen on the test pairs would flatter.
        edit_words: `(P,)`, scores of the edited words alone (`edit_word_scores`); their AUROC is None without them.

    Raises:
        ValueError: lengths differ, a label is neither 0 nor 1, or a score, overlap or edit-word score is not finite.
    """
    scores_P, labels_P = checked(scores, labels, "scores")
    overlap_P, _ = checked(overlap, labels, "overlap")
    if not len(categories) == len(anchors) == len(scores_P):
        raise ValueError(f"{len(scores_P)} scores, {len(categories)} categories and {len(anchors)} anchors")
    category_P = np.array(categories, dtype=object)
    anchor_P = _codes(anchors)
    edit_words_P = None if edit_words is None else checked(edit_words, labels, "edit_words")[0]

    def row(rows: NDArray[np.bool_]) -> dict[str, Any]:
        edited = None if edit_words_P is None else auroc(edit_words_P[rows], labels_P[rows])
        values = _row(scores_P[rows], labels_P[rows], anchor_P[rows], overlap_P[rows], threshold)
        return {**values, "edit_words_auroc": edited}

    positives, negatives = scores_P[labels_P == 1], Counter(category_P[labels_P == 0].tolist())
    return {
        **row(np.ones(len(scores_P), dtype=bool)),
        "threshold": threshold,
        "paraphrase_mean": _mean(positives),
        "paraphrase_std": _std(positives),
        "categories": {
            name: {"negatives": negatives[name], **row(_rows_of(category_P == name, labels_P))}
            for name in sorted(negatives)
        },
    }


def _rows_of(in_category_P: NDArray[np.bool_], labels_P: Labels) -> NDArray[np.bool_]:
    """A category's near-misses and the paraphrases that they are set against."""
    own = bool((in_category_P & (labels_P == 1)).any())
    return in_category_P if own else in_category_P | (labels_P == 1)


def _row(
    scores_P: Floats, labels_P: Labels, anchor_P: Labels, overlap_P: Floats, threshold: float | None
) -> dict[str, Any]:
    negatives = scores_P[labels_P == 0]
    return {
        "auroc": auroc(scores_P, labels_P),
        "average_precision": average_precision(scores_P, labels_P),
        "tpr@fpr=0.01": tpr_at_fpr(scores_P, labels_P, 0.01),
        "fpr@tpr=0.95": fpr_at_tpr(scores_P, labels_P, 0.95),
        "f1": None if threshold is None else f1(scores_P, labels_P, threshold),
        "negative_mean": _mean(negatives),
        "negative_std": _std(negatives),
        "pairwise_accuracy": pairwise_accuracy(scores_P, labels_P, anchor_P),
        "overlap_auroc": auroc(overlap_P, labels_P),
        "overlap_correlation": rank_correlation(scores_P, overlap_P),
    }


def auroc(scores: ArrayLike, labels: ArrayLike) -> float | None:
    """P(paraphrase scores higher than near-miss) + P(equal) / 2, in [0, 1], chance 0.5 (Hanley and McNeil 1982)."""
    counts = _counts(scores, labels)
    if counts is None:
        return None
    fprs, tprs = (np.append(0, n / n[-1]) for n in counts)
    return float(np.sum(np.diff(fprs) * (tprs[1:] + tprs[:-1])) / 2)


def average_precision(scores: ArrayLike, labels: ArrayLike) -> float | None:
    """Sum over thresholds of precision * gain in recall, in (0, 1], chance the paraphrases' share (as scikit-learn)."""
    counts = _counts(scores, labels)
    if counts is None:
        return None
    false, true = counts
    return float(np.sum(np.diff(true, prepend=0) / true[-1] * true / (true + false)))


def tpr_at_fpr(scores: ArrayLike, labels: ArrayLike, fpr: float) -> float | None:
    """The most paraphrases that a threshold accepts while it accepts at most `fpr` of the near-misses, in [0, 1].

    A point of the exact ROC, not interpolated; equals torchmetrics' sensitivity at specificity 1 - fpr.
    """
    counts = _counts(scores, labels)
    if counts is None:
        return None
    false, true = counts
    return float((true[false / false[-1] <= fpr] / true[-1]).max(initial=0.0))


def fpr_at_tpr(scores: ArrayLike, labels: ArrayLike, tpr: float) -> float | None:
    """The fewest near-misses that a threshold accepts while it accepts at least `tpr` of the paraphrases, in [0, 1].

    A point of the exact ROC, not interpolated; equals 1 - torchmetrics' specificity at sensitivity tpr.
    """
    counts = _counts(scores, labels)
    if counts is None:
        return None
    false, true = counts
    return float((false[true / true[-1] >= tpr] / false[-1]).min())


def f1(scores: ArrayLike, labels: ArrayLike, threshold: float) -> float | None:
    """2 TP / (2 TP + FP + FN), in [0, 1], of accepting the pairs at or above the threshold (van Rijsbergen 1979).

    None without a paraphrase.
    """
    scores_P, labels_P = checked(scores, labels, "scores")
    if not labels_P.any():
        return None
    accepted_P = scores_P >= threshold
    return float(2 * (accepted_P & (labels_P == 1)).sum() / (accepted_P.sum() + labels_P.sum()))


def best_f1_threshold(scores: ArrayLike, labels: ArrayLike) -> float | None:
    """The threshold with the highest F1, the highest such; None unless both labels occur.

    It lies half-way to the next lower score, so that rounding on another machine does not move a pair across.
    """
    scores_P, labels_P = checked(scores, labels, "scores")
    if len(set(labels_P.tolist())) < 2:
        return None
    order = np.argsort(-scores_P, kind="stable")
    falling, hits = scores_P[order], np.cumsum(labels_P[order])
    last = np.append(falling[:-1] > falling[1:], True).nonzero()[0]
    best = int(last[np.argmax(2 * hits[last] / (last + 1 + hits[-1]))])
    if best + 1 == len(falling):
        return float(falling[best])
    upper, lower = float(falling[best]), float(falling[best + 1])
    middle = lower + (upper - lower) / 2
    return middle if middle > lower else upper


def pairwise_accuracy(scores: ArrayLike, labels: ArrayLike, anchors: Sequence[Hashable] | Labels) -> float | None:
    """Share of (paraphrase, near-miss) pairs of one anchor in which the paraphrase scores higher, ties counting half.

    In [0, 1], chance 0.5: the AUROC within anchors, weighted by their pairs. It asks whether an anchor's paraphrases
    stand before its own near-misses, whatever other anchors score. None if no anchor has both.
    """
    scores_P, labels_P = checked(scores, labels, "scores")
    if len(anchors) != len(scores_P):
        raise ValueError(f"{len(scores_P)} scores and {len(anchors)} anchors")
    values, rank_P = np.unique(scores_P, return_inverse=True)
    first_P = _codes(anchors) * (len(values) + 1)
    keys_P = first_P + rank_P
    negatives = np.sort(keys_P[labels_P == 0])
    start, end = (np.searchsorted(negatives, (first_P + shift)[labels_P == 1]) for shift in (0, len(values)))
    below, upto = (np.searchsorted(negatives, keys_P[labels_P == 1], side) for side in ("left", "right"))
    pairs = int((end - start).sum())
    return float(((below - start) + (upto - below) / 2).sum() / pairs) if pairs else None


def rank_correlation(scores: ArrayLike, overlap: ArrayLike) -> float | None:
    """Spearman's rho in [-1, 1]: how much of a score is word overlap, ties at their mean rank (scipy's spearmanr).

    None for fewer than two pairs, or where either side is constant.
    """
    from scipy.stats import spearmanr

    scores_P, overlap_P = np.asarray(scores, dtype=np.float64), np.asarray(overlap, dtype=np.float64)
    if len(scores_P) < 2 or np.ptp(scores_P) == 0 or np.ptp(overlap_P) == 0:
        return None
    return float(spearmanr(scores_P, overlap_P).statistic)


def jaccard(a: str, b: str) -> float:
    """Words that both texts have / words that either has, in [0, 1]; 1 if neither has any (Jaccard 1901).

    Each word is counted once.
    """
    words_a, words_b = (set(words(text)) for text in (a, b))
    either = len(words_a | words_b)
    return len(words_a & words_b) / either if either else 1.0


def _counts(scores: ArrayLike, labels: ArrayLike) -> tuple[Floats, Floats] | None:
    """Near-misses and paraphrases at or above each different score, highest first; None unless both labels occur.

    torchmetrics' kernel beneath its ROC. Its public functions put scores outside [0, 1] through a sigmoid, in which
    near scores become equal, and divide counts in torch's default type, which costs 1e-7 in float32.
    """
    import torch
    from torchmetrics.functional.classification.precision_recall_curve import _binary_clf_curve

    scores_P, labels_P = checked(scores, labels, "scores")
    if len(set(labels_P.tolist())) < 2:
        return None
    one_P = torch.ones(len(scores_P), dtype=torch.float64)  # without weights it counts in float32
    false, true, _ = _binary_clf_curve(torch.from_numpy(scores_P), torch.from_numpy(labels_P), one_P)
    return false.numpy(), true.numpy()


def checked(values: ArrayLike, labels: ArrayLike, what: str) -> tuple[Floats, Labels]:
    values_P, labels_P = np.asarray(values, dtype=np.float64), np.asarray(labels)
    if values_P.ndim != 1 or values_P.shape != labels_P.shape:
        raise ValueError(f"{what} of shape {values_P.shape} and labels of shape {labels_P.shape}")
    if not np.isfinite(values_P).all():
        row = int(np.argmin(np.isfinite(values_P)))
        raise ValueError(f"{what}: row {row} is {values_P[row]}, not a finite number")
    if not np.isin(labels_P, (0, 1)).all():
        raise ValueError("labels must be 1 (the same meaning) or 0 (a near-miss)")
    return values_P, labels_P.astype(np.int64)


def _codes(anchors: Iterable[Hashable]) -> Labels:
    """A number for each anchor, `(P,)`; a NumPy string array would take the longest text's room for each."""
    number: dict[Hashable, int] = {}
    return np.array([number.setdefault(anchor, len(number)) for anchor in anchors], dtype=np.int64)


def _mean(scores: Floats) -> float | None:
    return float(scores.mean()) if len(scores) else None


def _std(scores: Floats) -> float | None:
    """Population standard deviation, as in the paper."""
    return float(scores.std()) if len(scores) else None
