"""Shares of accepted near-misses and lost paraphrases: counted in plain loops, intervals by Wilson's formula."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compret.metrics.decisions import Share, decisions, decisions_by_category, share

ROWS = st.lists(st.tuples(st.booleans(), st.sampled_from([0, 1]), st.sampled_from("abc")), min_size=1, max_size=60)


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_wilsons(counts: tuple[int, int]) -> None:
    count, of = counts
    z, p = 1.959963984540054, count / of
    middle, half = p + z * z / (2 * of), z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    found = share(count, of)
    assert found.share == p
    assert found.low == pytest.approx((middle - half) / (1 + z * z / of), abs=1e-12)
    assert found.high == pytest.approx((middle + half) / (1 + z * z / of), abs=1e-12)


def test_a_share_of_none_is_none() -> None:
    assert share(0, 0) == Share(0, 0, None, None, None)


@given(ROWS)
def test_counts_are_those_of_a_loop(rows: list[tuple[bool, int, str]]) -> None:
    accepted, labels, categories = zip(*rows, strict=True)
    let_in = lost = 0
    for yes, label in zip(accepted, labels, strict=True):
        let_in += yes and label == 0
        lost += not yes and label == 1
    found = decisions(accepted, labels)
    assert (found.false_accepts.count, found.false_accepts.of) == (let_in, labels.count(0))
    assert (found.lost.count, found.lost.of) == (lost, labels.count(1))
    parts = decisions_by_category(accepted, labels, categories)
    assert set(parts) == set(categories)
    assert sum(part.false_accepts.count for part in parts.values()) == let_in
    assert sum(part.lost.of for part in parts.values()) == labels.count(1)


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="decisions"):
        decisions([True], [1, 0])
