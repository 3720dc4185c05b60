"""Thresholds at a false-accept rate against a plain search; probabilities against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compret.metrics.calibration import Calibration, calibrate

SCORES = st.lists(st.tuples(st.integers(-20, 20).map(lambda x: x / 8), st.integers(0, 1)), min_size=2, max_size=40)


@settings(deadline=None)  # the first call imports scipy
@given(SCORES, st.sampled_from([0.0, 0.05, 0.3, 0.9]))
def test_the_threshold_is_the_lowest_that_accepts_few_enough(pairs: list[tuple[float, int]], rate: float) -> None:
    scores, labels = np.array([s for s, _ in pairs]), np.array([y for _, y in pairs])
    found = calibrate(scores, labels, rate)
    if len(set(labels.tolist())) < 2:
        assert found is None
        return
    assert found is not None
    negatives = scores[labels == 0]
    assert (negatives >= found.threshold).mean() <= rate
    lower = [s for s in scores if s < found.threshold]
    assert not lower or (negatives >= max(lower)).mean() > rate


def test_probabilities_are_those_of_logistic_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 400)
    scores = 0.9 + 0.05 * (labels + generator.normal(size=400))
    found = calibrate(scores, labels, 0.05)
    assert found is not None
    peer = LogisticRegression(C=1e12, tol=1e-10, max_iter=10_000).fit(scores[:, None], labels)
    expected = peer.predict_proba(scores[:, None])[:, 1]
    assert [found.probability(s) for s in scores] == pytest.approx(expected, abs=2e-3)


@given(st.integers(0, 1000))
def test_scores_that_do_not_separate_have_bounded_parameters(seed: int) -> None:
    """Their best temperature is infinite: 1e17 was exported without a word."""
    generator = np.random.default_rng(seed)
    labels = np.arange(60) % 2
    scores = 0.9 - 0.01 * labels + 1e-3 * generator.normal(size=60)
    found = calibrate(scores, labels, 0.05)
    assert found is not None
    assert 0 < found.temperature <= 101 * scores.std()
    assert abs(found.shift - scores.mean()) <= 101 * scores.std()
    assert found.validation_auroc is not None
    assert found.validation_auroc < 0.1


def test_a_score_at_the_threshold_is_accepted() -> None:
    """As f1 counts it: a threshold of 1.0 on cosines accepts equal texts."""
    found = Calibration(threshold=1.0, false_accept_rate=0.05, temperature=0.1, shift=0.5)
    assert [found.accepts(score) for score in (1.0 - 1e-12, 1.0, 1.0 + 1e-12)] == [False, True, True]


def test_classes_that_do_not_overlap_have_finite_parameters() -> None:
    found = calibrate([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], 0.0)
    assert found is not None
    assert 0.2 < found.threshold < 0.8
    assert found.temperature > 0
    assert np.isfinite([found.temperature, found.shift]).all()
