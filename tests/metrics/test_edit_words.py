"""The edit-word baseline beside scikit-learn, on pairs whose answer is known, and at its edges."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LogisticRegression

from compret.metrics.edit_words import edit_word_scores, linked, logistic_regression, signed_words
from compret.metrics.near_miss import auroc

WORDS = "the dog cat man bites sees big red not never fast".split()


def drawn(pairs: int = 400, seed: int = 0) -> tuple[list[str], list[str], list[int]]:
    """Anchors in pairs, each with a candidate in which two words are others; labels by chance."""
    rng = np.random.default_rng(seed)
    anchors = [f"{i // 2} " + " ".join(rng.choice(WORDS, 6)) for i in range(pairs)]
    candidates = [" ".join([*anchor.split()[:-2], *rng.choice(WORDS, 2)]) for anchor in anchors]
    return anchors, candidates, rng.integers(0, 2, pairs).tolist()


def test_the_regression_is_scikit_learn_s() -> None:
    anchors, candidates, labels = drawn()
    features = signed_words(anchors, candidates)
    weights, bias = logistic_regression(features, labels)
    expected = LogisticRegression(C=1.0, tol=1e-10, max_iter=2000).fit(features, labels)
    assert weights == pytest.approx(expected.coef_[0], abs=1e-4)
    assert bias == pytest.approx(expected.intercept_[0], abs=1e-4)


def test_features_are_the_added_and_the_removed_words() -> None:
    pairs = [("the dog ran", "The dog ran."), ("a b b", "b a c c"), ("it is", "it is not"), ("it is not", "it is")]
    found = signed_words([a for a, _ in pairs], [c for _, c in pairs]).toarray()
    edits = [{}, {"+c": 2, "-b": 1}, {"+not": 1}, {"-not": 1}]
    expected = DictVectorizer(sparse=False, sort=False).fit_transform(edits)
    assert found.shape == expected.shape
    assert sorted(found.T.tolist()) == sorted(expected.T.tolist())
    assert not found[0].any()


def test_a_word_that_marks_near_misses_is_found_and_an_order_is_not() -> None:
    anchors, _, labels = drawn()
    marked = [a + (" fast indeed" if y else " not indeed") for a, y in zip(anchors, labels, strict=True)]
    assert auroc(edit_word_scores(anchors, marked, labels), labels) == 1.0
    swapped = [a if y else " ".join(reversed(a.split())) for a, y in zip(anchors, labels, strict=True)]
    scores = edit_word_scores(anchors, swapped, labels)
    assert scores is not None
    assert len(set(np.round(scores, 6))) <= 5  # one bias a fold


def test_words_of_other_anchors_alone_are_learnt_from() -> None:
    """Each anchor's pairs share a word that gives their label away; no other anchor has it."""
    anchors = [f"anchor{i // 4} stands here" for i in range(200)]
    labels = [(i // 4) % 2 for i in range(200)]
    scores = edit_word_scores(anchors, [f"{a} word{i // 4}" for i, a in enumerate(anchors)], labels)
    assert auroc(scores, labels) == pytest.approx(0.5, abs=0.15)


def test_chance_is_a_half_and_the_same_seed_gives_the_same_scores() -> None:
    anchors, candidates, labels = drawn(1000, seed=3)
    scores = edit_word_scores(anchors, candidates, labels)
    assert auroc(scores, labels) == pytest.approx(0.5, abs=0.06)
    assert np.array_equal(scores, edit_word_scores(anchors, candidates, labels))  # type: ignore[arg-type]
    assert not np.array_equal(scores, edit_word_scores(anchors, candidates, labels, seed=1))  # type: ignore[arg-type]


def groups_of(rows: list[tuple[str, str, int]]) -> list[set[str]]:
    """The texts of pairs that share texts, one group after the other, by a plain loop."""
    groups: list[set[str]] = []
    for anchor, candidate, _ in rows:
        near = [group for group in groups if group & {anchor, candidate}]
        groups = [group for group in groups if group not in near] + [{anchor, candidate}.union(*near)]
    return groups


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef"), st.integers(0, 1)), max_size=9))
def test_linked_pairs_stand_together(rows: list[tuple[str, str, int]]) -> None:
    anchors, candidates, _ = ([row[i] for row in rows] for i in range(3))
    count, group = linked(anchors, candidates)
    expected = groups_of(rows)
    assert count == len(expected)
    for i, j in itertools.combinations(range(len(rows)), 2):
        together = any({anchors[i], anchors[j]} <= texts for texts in expected)
        assert (group[i] == group[j]) == together


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.text(max_size=9), st.integers(0, 1)), max_size=12))
def test_scores_are_finite_or_none(rows: list[tuple[str, str, int]]) -> None:
    anchors, candidates, labels = ([row[i] for row in rows] for i in range(3))
    scores = edit_word_scores(anchors, candidates, labels)
    assert (scores is None) == (len(groups_of(rows)) < 2 or len(set(labels)) < 2)
    assert scores is None or (len(scores) == len(rows) and np.isfinite(scores).all())
