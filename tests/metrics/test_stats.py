"""The paired test and interval beside enumeration, plain NumPy and textbook limits."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compret.metrics.stats import difference_interval, sign_flip_test


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
