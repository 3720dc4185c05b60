"""AUROC as a sum: beside scikit-learn, an explicit swap of systems, and SciPy's bootstrap of whole groups."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from sklearn.metrics import roc_auc_score

from compret.metrics.placements import connected, placements, swap_values, unit_values
from compret.metrics.stats import percentile_interval, resampled_means, sign_flip_columns

SCORES = st.integers(0, 4).map(float)
PAIRS = st.lists(st.tuples(SCORES, SCORES, st.integers(0, 2)), min_size=2, max_size=8)


def auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    """By its definition, over all pairs of a paraphrase and a near-miss."""
    true, false = scores[labels == 1][:, None], scores[labels == 0]
    return float(((true > false) + 0.5 * (true == false)).mean())


def labelled(pairs: list[tuple[float, float, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Two systems' scores, labels of both kinds, and groups without a gap."""
    a, b, groups = (np.array(column) for column in zip(*pairs, strict=True))
    labels = np.arange(len(pairs)) % 2
    return a, b, labels, np.unique(groups, return_inverse=True)[1]


@settings(deadline=None, max_examples=30)
@given(PAIRS)
def test_the_mean_of_each_is_the_auroc_or_its_difference(pairs: list[tuple[float, float, int]]) -> None:
    a, b, labels, units = labelled(pairs)
    expected = roc_auc_score(labels, a)
    placed = placements(a, labels)
    assert placed[labels == 1].mean() == pytest.approx(expected)
    assert placed[labels == 0].mean() == pytest.approx(expected)
    assert unit_values(a, labels, units).mean() == pytest.approx(expected)
    assert swap_values(a, b, labels, units).mean() == pytest.approx(expected - roc_auc_score(labels, b))


@settings(deadline=None, max_examples=30)
@given(PAIRS)
def test_a_sign_flip_is_a_swap_of_systems(pairs: list[tuple[float, float, int]]) -> None:
    """For every set of groups that change sides, AUROCs of the swapped ranks differ by the flipped mean."""
    a, b, labels, units = labelled(pairs)
    values = swap_values(a, b, labels, units)
    ranks = [scipy_stats.rankdata(scores) for scores in (a, b)]
    for signs in itertools.product([1, -1], repeat=len(values)):
        stays = np.array(signs)[units] == 1
        one, two = np.where(stays, *ranks), np.where(stays, *ranks[::-1])
        expected = auroc(labels, one) - auroc(labels, two)
        assert (values * signs).mean() == pytest.approx(expected)


def test_the_test_is_the_permutation_test_of_scipy() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    a, b = labels + rng.normal(size=60) * 1.2, labels * 0.6 + rng.normal(size=60) * 1.5
    ranks = [scipy_stats.rankdata(scores) for scores in (a, b)]

    def difference(one: np.ndarray, two: np.ndarray) -> float:
        return float(auroc(labels, one) - auroc(labels, two))

    expected = scipy_stats.permutation_test(
        ranks, difference, permutation_type="samples", vectorized=False, n_resamples=500, rng=2
    ).pvalue
    found = sign_flip_columns(swap_values(a, b, labels, range(60))[:, None])[0]
    assert found == pytest.approx(expected, abs=0.05)


def test_the_interval_is_the_bootstrap_of_whole_groups() -> None:
    """Groups of four pairs that lean the same way: drawn one by one, pairs would seem to know too much."""
    rng = np.random.default_rng(1)
    units = np.repeat(np.arange(80), 4)
    labels = np.tile([1, 1, 0, 0], 80)
    scores = labels * 1.0 + rng.normal(size=320) + np.repeat(rng.normal(0, 2, 80), 4) * (2 * labels - 1)
    low, high = percentile_interval(resampled_means(unit_values(scores, labels, units)[:, None])[:, 0])
    drawn = (rng.integers(80, size=80) for _ in range(300))
    whole = [np.concatenate([np.flatnonzero(units == unit) for unit in draw]) for draw in drawn]
    expected = percentile_interval([auroc(labels[rows], scores[rows]) for rows in whole])
    assert (low, high) == pytest.approx(expected, abs=0.03)
    alone = percentile_interval(resampled_means(unit_values(scores, labels, range(320))[:, None])[:, 0])
    assert high - low > 1.3 * (alone[1] - alone[0])


def test_pairs_that_share_a_text_are_one_group() -> None:
    assert connected(["a", "b", "x", "q"], ["b", "c", "y", "y"]).tolist() == [0, 0, 1, 1]


def test_one_label_alone_is_an_error() -> None:
    with pytest.raises(ValueError, match="both labels"):
        placements([0.1, 0.2], [1, 1])
