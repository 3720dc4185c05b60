"""Tests and intervals beside SciPy, enumeration, plain loops, textbook limits and simulated coverage."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from compret.metrics.stats import (
    difference_interval,
    holm,
    over_seeds,
    percentile_interval,
    resampled_means,
    sample_std,
    sign_flip_columns,
    sign_flip_test,
)


def enumerated_p(difference: list[float]) -> float:
    """Twice the smaller tail over all sign patterns, by a plain loop."""
    patterns = list(itertools.product([1, -1], repeat=len(difference)))
    means = [sum(s * d for s, d in zip(signs, difference, strict=True)) for signs in patterns]
    observed, slack = sum(difference), 1e-9 * (1 + sum(map(abs, difference)))
    upper = sum(mean >= observed - slack for mean in means) / len(means)
    lower = sum(mean <= observed + slack for mean in means) / len(means)
    return min(1.0, 2 * min(upper, lower))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-20, 20).map(lambda i: i / 20), min_size=2, max_size=9))
def test_few_pairs_are_enumerated(difference: list[float]) -> None:
    assert sign_flip_test(difference, np.zeros(len(difference))) == pytest.approx(enumerated_p(difference))


def test_many_pairs_are_drawn_and_the_observed_pattern_counts() -> None:
    difference = np.full(40, 0.1)
    assert sign_flip_test(difference, np.zeros(40), resamples=999) == pytest.approx(2 / 1000)


def test_drawn_p_is_near_that_of_plain_numpy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(60) + 0.06, rng.random(60)
    signs = np.random.default_rng(1).choice([-1.0, 1.0], size=(40_000, 60))
    means = (signs * (a - b)).mean(1)
    expected = float((np.abs(means) >= abs((a - b).mean())).mean())
    assert sign_flip_test(a, b) == pytest.approx(expected, abs=0.02)


def test_same_seed_same_answer_and_sides_can_be_swapped() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.random(50), rng.random(50)
    assert sign_flip_test(a, b, seed=7) == sign_flip_test(a, b, seed=7)
    assert sign_flip_test(a, b) == pytest.approx(sign_flip_test(b, a), abs=0.02)
    assert difference_interval(a, b, seed=7) == difference_interval(a, b, seed=7)
    assert difference_interval(a, b, seed=7) != difference_interval(a, b, seed=8)


def test_p_is_uniform_when_nothing_differs() -> None:
    rng = np.random.default_rng(3)
    ps = [sign_flip_test(rng.normal(size=30), rng.normal(size=30), resamples=499) for _ in range(200)]
    assert np.mean([p is not None and p <= 0.1 for p in ps]) == pytest.approx(0.1, abs=0.06)


def test_interval_is_near_the_normal_one_and_holds_the_mean() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(0.3, 1, 2000), rng.normal(0, 1, 2000)
    low, high = difference_interval(a, b, confidence=0.95) or (math.nan, math.nan)
    mean, error = (a - b).mean(), (a - b).std(ddof=1) / math.sqrt(2000)
    assert low == pytest.approx(mean - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(mean + 1.96 * error, abs=0.2 * error)


def test_an_interval_is_as_wide_as_its_confidence() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=400), rng.normal(size=400)
    for confidence, quantile in ((0.5, 0.6745), (0.99, 2.5758)):
        low, high = difference_interval(a, b, confidence) or (math.nan, math.nan)
        assert high - low == pytest.approx(2 * quantile * (a - b).std() / math.sqrt(400), rel=0.1)


def test_equal_systems() -> None:
    same = np.linspace(0, 1, 20)
    assert sign_flip_test(same, same) == 1.0
    assert difference_interval(same, same) == (0.0, 0.0)
    assert difference_interval(same + 0.5, same) == pytest.approx((0.5, 0.5))


@pytest.mark.parametrize("values", [[], [1.0]])
def test_fewer_than_two_pairs_say_nothing(values: list[float]) -> None:
    assert sign_flip_test(values, values) is None
    assert difference_interval(values, values) is None


def test_wrong_input_is_an_error() -> None:
    with pytest.raises(ValueError, match="shapes"):
        sign_flip_test([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="finite"):
        difference_interval([1.0, math.nan], [1.0, 2.0])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(-9, 9), min_size=3, max_size=3), min_size=2, max_size=9))
def test_columns_are_tested_as_each_alone_when_all_patterns_are_taken(rows: list[list[int]]) -> None:
    values = np.array(rows) / 10
    alone = [sign_flip_test(column, np.zeros(len(column))) for column in values.T]
    assert sign_flip_columns(values) == pytest.approx(alone)


def test_drawn_columns_are_near_scipy_and_count_the_observed_pattern() -> None:
    values = np.random.default_rng(5).normal(0.15, 1, (80, 4))
    expected = [
        scipy_stats.permutation_test(
            (column,), np.mean, permutation_type="samples", vectorized=True, n_resamples=40_000, rng=1
        ).pvalue
        for column in values.T
    ]
    assert sign_flip_columns(values) == pytest.approx(expected, abs=0.03)
    assert sign_flip_columns(np.full((40, 1), 0.1), resamples=999) == pytest.approx([1 / 1000])
    assert (sign_flip_columns(values, seed=7) == sign_flip_columns(values, seed=7)).all()
    assert np.isnan(sign_flip_columns(values[:1])).all()


def test_a_resampled_mean_is_scipys_bootstrap() -> None:
    values = np.random.default_rng(6).exponential(size=(60, 2))
    expected = scipy_stats.bootstrap((values,), np.mean, axis=0, method="percentile", rng=1).confidence_interval
    for column in range(2):
        found = percentile_interval(resampled_means(values)[:, column])
        assert found == pytest.approx((expected.low[column], expected.high[column]), abs=0.03)


def test_systems_are_drawn_alike_whether_together_or_alone() -> None:
    values = np.random.default_rng(7).random((50, 3))
    together = resampled_means(values, resamples=50)
    assert resampled_means(values[:, 1:2], resamples=50)[:, 0] == pytest.approx(together[:, 1])
    shifted = resampled_means(values + 0.25, resamples=50) - together
    assert shifted == pytest.approx(np.full((50, 3), 0.25))
    assert not np.allclose(resampled_means(values, resamples=50, seed=1), together)


def test_seeds_of_the_same_names_stay_paired() -> None:
    """Trained with the same seeds, two systems that always differ by .1 differ by .1; with other seeds, it varies."""
    one = np.random.default_rng(8).normal(size=(200, 3)) * 0 + [0.2, 0.5, 0.8]
    paired = over_seeds(one + 0.1, [1, 2, 3]) - over_seeds(one, [1, 2, 3])
    unpaired = over_seeds(one + 0.1, [4, 5, 6]) - over_seeds(one, [1, 2, 3])
    assert paired == pytest.approx(np.full(200, 0.1))
    assert unpaired.std() > 0.1
    assert over_seeds(one[:, :1], [1]) == pytest.approx(one[:, 0])


def coverage(with_seeds: bool) -> float:
    """How often the interval of a mean holds the truth, 0, where training seeds shift a system and queries differ."""
    rng, held = np.random.default_rng(9), 0
    for trial in range(200):
        values = rng.normal(size=(60, 8)) + rng.normal(0, 0.5, 8)
        means = resampled_means(values, resamples=400, seed=trial)
        draws = over_seeds(means, range(8), seed=trial) if with_seeds else means.mean(1)
        low, high = percentile_interval(draws)
        held += low <= 0 <= high
    return held / 200


def test_an_interval_over_queries_and_seeds_holds_the_truth_as_often_as_it_says() -> None:
    """Of eight seeds the bootstrap sees 7/8 of the variance between them, so that it falls a little short of .95."""
    assert 0.86 < coverage(with_seeds=True) < 0.98
    assert coverage(with_seeds=False) < 0.6


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_is_the_plain_loop(p_values: list[float]) -> None:
    expected, highest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - place)))
        expected[index] = highest
    assert holm(p_values) == pytest.approx(expected)


def test_the_deviation_is_that_of_a_sample() -> None:
    assert sample_std([1.0, 2.0, 4.0]) == pytest.approx(scipy_stats.tstd([1.0, 2.0, 4.0]))
    assert sample_std([1.0]) is None
