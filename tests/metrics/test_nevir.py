"""Paired accuracy against a plain loop, at chance, and on ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compret.metrics.nevir import paired_accuracy

SCORES = st.lists(st.lists(st.integers(-2, 2), min_size=4, max_size=4), min_size=1, max_size=20)


@given(SCORES)
def test_both_queries_must_rank_their_own_document_first(scores: list[list[int]]) -> None:
    right = 0
    for q1_doc1, q1_doc2, q2_doc1, q2_doc2 in scores:
        if q1_doc1 > q1_doc2 and q2_doc2 > q2_doc1:
            right += 1
    assert paired_accuracy(np.array(scores).reshape(-1, 2, 2)) == pytest.approx(right / len(scores))


def test_equal_scores_are_wrong_and_chance_is_a_quarter() -> None:
    assert paired_accuracy(np.zeros((5, 2, 2))) == 0.0
    assert paired_accuracy([[[1, 0], [1, 1]]]) == 0.0
    assert paired_accuracy([[[1, 0], [0, 1]]]) == 1.0
    assert paired_accuracy(np.zeros((0, 2, 2))) is None
    drawn = paired_accuracy(np.random.default_rng(0).normal(size=(20_000, 2, 2)))
    assert drawn == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("scores", [np.zeros((3, 4)), np.zeros((3, 2, 3)), np.full((1, 2, 2), np.nan)])
def test_other_shapes_and_values_are_refused(scores: np.ndarray) -> None:
    with pytest.raises(ValueError, match="shape|finite"):
        paired_accuracy(scores)
