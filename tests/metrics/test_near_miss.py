"""Near-miss metrics beside scikit-learn, torchmetrics and plain loops, and at the edges of what is defined."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

from compret.metrics.near_miss import (
    auroc,
    average_precision,
    best_f1_threshold,
    f1,
    fpr_at_tpr,
    jaccard,
    near_miss_metrics,
    pairwise_accuracy,
    rank_correlation,
    tpr_at_fpr,
)

SET_KEYS = {
    *("auroc", "average_precision", "tpr@fpr=0.01", "fpr@tpr=0.95", "f1", "threshold", "negative_mean"),
    *(
        "negative_std",
        "paraphrase_mean",
        "paraphrase_std",
        "pairwise_accuracy",
        "overlap_auroc",
        "overlap_correlation",
        "edit_words_auroc",
        "categories",
    ),
}
CATEGORY_KEYS = SET_KEYS - {"threshold", "paraphrase_mean", "paraphrase_std", "categories"} | {"negatives"}


def draw(seed: int, pairs: int = 2000, decimals: int | None = None) -> tuple[Any, Any]:
    """Overlapping scores, in and outside [0, 1], with ties if rounded."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, pairs)
    scores = rng.normal(size=pairs) + labels
    return (scores if decimals is None else scores.round(decimals)), labels


def loop_pairwise(scores: Any, labels: Any, anchors: Any) -> float | None:
    rows = list(zip(scores, labels, anchors, strict=True))
    pairs = [(p, n) for p, y, a in rows if y for n, z, b in rows if not z and a == b]
    return sum((p > n) + (p == n) / 2 for p, n in pairs) / len(pairs) if pairs else None


pairs_of = st.lists(
    st.tuples(st.integers(-8, 8).map(lambda i: i / 4), st.integers(0, 1), st.sampled_from("abc")), max_size=30
)


@pytest.mark.parametrize("decimals", [None, 1])
@pytest.mark.parametrize("seed", [0, 1])
def test_areas_equal_scikit_learn(seed: int, decimals: int | None) -> None:
    scores, labels = draw(seed, decimals=decimals)
    assert auroc(scores, labels) == pytest.approx(sklearn.roc_auc_score(labels, scores), abs=1e-12)
    expected = sklearn.average_precision_score(labels, scores)
    assert average_precision(scores, labels) == pytest.approx(expected, abs=1e-12)


def test_scores_that_a_sigmoid_would_merge_are_told_apart() -> None:
    scores, labels = np.array([40.0, 41.0, 42.0, 43.0]), [0, 1, 0, 1]
    assert auroc(scores, labels) == 0.75
    assert auroc(1 + scores * 1e-14, labels) == 0.75


@pytest.mark.parametrize("decimals", [None, 1])
def test_points_of_the_roc_equal_scikit_learn(decimals: int | None) -> None:
    scores, labels = draw(2, decimals=decimals)
    fprs, tprs, _ = sklearn.roc_curve(labels, scores, drop_intermediate=False)
    assert tpr_at_fpr(scores, labels, 0.01) == pytest.approx(tprs[fprs <= 0.01].max(), abs=1e-12)
    assert fpr_at_tpr(scores, labels, 0.95) == pytest.approx(fprs[tprs >= 0.95].min(), abs=1e-12)


def test_points_of_the_roc_are_those_of_torchmetrics() -> None:
    from torchmetrics.functional.classification import (
        binary_sensitivity_at_specificity,
        binary_specificity_at_sensitivity,
    )

    scores, labels = draw(3)
    unit, target = torch.tensor(1 / (1 + np.exp(-scores))), torch.tensor(labels)
    sensitivity = float(binary_sensitivity_at_specificity(unit, target, 0.99)[0])
    specificity = float(binary_specificity_at_sensitivity(unit, target, 0.95)[0])
    assert tpr_at_fpr(scores, labels, 0.01) == pytest.approx(sensitivity, abs=1e-6)
    assert fpr_at_tpr(scores, labels, 0.95) == pytest.approx(1 - specificity, abs=1e-6)


def test_rates_exactly_at_the_bound_count() -> None:
    scores = np.r_[[9.0], np.full(99, 1.0), np.full(19, 5.0), [0.0]]
    labels = np.r_[np.zeros(100, int), np.ones(20, int)]
    assert tpr_at_fpr(scores, labels, 0.01) == pytest.approx(0.95)
    assert fpr_at_tpr(scores, labels, 0.95) == pytest.approx(0.01)


@settings(max_examples=60, deadline=None)
@given(pairs_of)
def test_any_increasing_map_of_the_scores_changes_nothing(rows: list[tuple[float, int, str]]) -> None:
    scores, labels = np.array([s for s, _, _ in rows]), [y for _, y, _ in rows]
    for metric in (auroc, average_precision):
        assert metric(scores, labels) == metric(np.exp(3 * scores) - 7, labels)
    forward, backward = auroc(scores, labels), auroc(-scores, labels)
    assert (forward is None) == (len(set(labels)) < 2)
    if forward is not None and backward is not None:
        assert forward + backward == pytest.approx(1, abs=1e-12)
        assert forward == pytest.approx(sklearn.roc_auc_score(labels, scores), abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(pairs_of)
def test_best_threshold_is_the_best_of_all(rows: list[tuple[float, int, str]]) -> None:
    scores, labels = [s for s, _, _ in rows], [y for _, y, _ in rows]
    threshold = best_f1_threshold(scores, labels)
    if len(set(labels)) < 2:
        assert threshold is None
        return
    assert threshold is not None
    found = f1(scores, labels, threshold)
    every = [sklearn.f1_score(labels, np.array(scores) >= cut) for cut in scores]
    assert found == pytest.approx(max(every), abs=1e-12)


def test_threshold_lies_half_way_and_neighbouring_floats_are_kept_apart() -> None:
    assert best_f1_threshold([0.2, 0.4, 0.8], [0, 0, 1]) == pytest.approx(0.6)
    above = math.nextafter(0.5, 1)
    assert best_f1_threshold([0.5, above], [0, 1]) == above
    assert best_f1_threshold([0.5, 0.7], [1, 1]) is None


def test_f1_without_a_paraphrase_or_an_accepted_pair() -> None:
    assert f1([0.1, 0.9], [0, 0], 0.5) is None
    assert f1([0.1, 0.2], [0, 1], 0.5) == 0.0
    assert f1([0.5], [1], 0.5) == 1.0


@settings(max_examples=100, deadline=None)
@given(pairs_of)
def test_pairwise_accuracy_equals_the_loop(rows: list[tuple[float, int, str]]) -> None:
    scores, labels, anchors = [s for s, _, _ in rows], [y for _, y, _ in rows], [a for _, _, a in rows]
    assert pairwise_accuracy(scores, labels, anchors) == pytest.approx(loop_pairwise(scores, labels, anchors))


def test_pairwise_accuracy_of_one_anchor_is_its_auroc() -> None:
    scores, labels = draw(4, decimals=1)
    assert pairwise_accuracy(scores, labels, ["same"] * len(scores)) == pytest.approx(auroc(scores, labels))
    assert pairwise_accuracy(scores, labels, list(map(str, range(len(scores))))) is None


def test_jaccard() -> None:
    assert jaccard("The dog bites.", "the man bites") == pytest.approx(2 / 4)
    assert jaccard("a a b", "b a") == 1.0
    assert jaccard("", "a") == 0.0
    assert jaccard("", "...") == 1.0
    assert jaccard("Größe, É", "größe é") == 1.0


def example(threshold: float | None = 0.5) -> tuple[dict[str, Any], Any, Any, list[str]]:
    scores, labels = draw(5, pairs=600, decimals=2)
    names = itertools.cycle(["negation", "role-swap", "negation"])
    categories = ["paraphrase" if y else next(names) for y in labels]
    anchors = [f"anchor {i % 150}" for i in range(len(labels))]
    overlap = np.random.default_rng(6).random(len(labels)).round(1)
    return near_miss_metrics(scores, labels, categories, anchors, overlap, threshold), scores, labels, categories


def test_a_set_has_exactly_the_contract_s_keys() -> None:
    found, scores, labels, _ = example()
    assert set(found) == SET_KEYS
    assert set(found["categories"]) == {"negation", "role-swap"}
    assert all(set(row) == CATEGORY_KEYS for row in found["categories"].values())
    assert found["auroc"] == pytest.approx(sklearn.roc_auc_score(labels, scores), abs=1e-12)
    assert found["f1"] == pytest.approx(sklearn.f1_score(labels, scores >= 0.5), abs=1e-12)
    assert found["negative_mean"] == pytest.approx(np.mean(scores[labels == 0]))
    assert found["paraphrase_std"] == pytest.approx(np.std(scores[labels == 1], ddof=0))
    json.dumps(found, allow_nan=False)


def test_a_category_without_paraphrases_stands_against_all() -> None:
    found, scores, labels, categories = example()
    for name, row in found["categories"].items():
        rows = (labels == 1) | (np.array(categories) == name)
        assert row["auroc"] == pytest.approx(sklearn.roc_auc_score(labels[rows], scores[rows]), abs=1e-12)
        assert row["negatives"] == categories.count(name)
        assert row["negative_mean"] == pytest.approx(np.mean(scores[rows & (labels == 0)]))
    counts = {name: row["negatives"] for name, row in found["categories"].items()}
    joined = sum(row["auroc"] * counts[name] for name, row in found["categories"].items()) / sum(counts.values())
    assert joined == pytest.approx(found["auroc"], abs=1e-12)


def test_a_category_with_paraphrases_of_its_own_stands_against_those() -> None:
    found = near_miss_metrics([0.9, 0.1, 0.2, 0.8], [1, 1, 0, 0], ["x", "y", "x", "y"], list("aabb"), [0.0] * 4, None)
    assert {name: row["auroc"] for name, row in found["categories"].items()} == {"x": 1.0, "y": 0.0}


def test_without_a_threshold_f1_is_none() -> None:
    found = example(threshold=None)[0]
    assert found["threshold"] is None
    assert found["f1"] is None
    assert all(row["f1"] is None for row in found["categories"].values())


def test_constant_scores() -> None:
    found = near_miss_metrics([0.3] * 4, [1, 0, 1, 0], ["c"] * 4, ["a"] * 4, [1.0] * 4, None)
    assert (found["auroc"], found["average_precision"], found["pairwise_accuracy"]) == (0.5, 0.5, 0.5)
    assert (found["tpr@fpr=0.01"], found["fpr@tpr=0.95"], found["overlap_auroc"]) == (0.0, 1.0, 0.5)
    assert found["negative_std"] == found["paraphrase_std"] == 0.0


@pytest.mark.parametrize(
    ("label", "defined"),
    [
        (0, {"negative_mean", "negative_std", "threshold", "categories"}),
        (1, {"paraphrase_mean", "paraphrase_std", "threshold", "f1", "categories"}),
    ],
)
def test_one_class_alone(label: int, defined: set[str]) -> None:
    found = near_miss_metrics([0.3, 0.6], [label] * 2, ["c"] * 2, ["a"] * 2, [0.5] * 2, 0.5)
    assert {key for key, value in found.items() if value is not None} == defined
    assert set(found["categories"]) == ({"c"} if label == 0 else set())
    json.dumps(found, allow_nan=False)


def test_no_pairs() -> None:
    found = near_miss_metrics([], [], [], [], [], None)
    assert found == {**dict.fromkeys(SET_KEYS), "categories": {}}
    assert best_f1_threshold([], []) is None


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_are_named(bad: float) -> None:
    with pytest.raises(ValueError, match=r"^scores: row 1 is -?(nan|inf), not a finite number$"):
        near_miss_metrics([0.1, bad], [0, 1], ["c"] * 2, ["a"] * 2, [0.5] * 2, None)
    with pytest.raises(ValueError, match=r"^overlap: row 0"):
        near_miss_metrics([0.1, 0.2], [0, 1], ["c"] * 2, ["a"] * 2, [bad, 0.5], None)
    with pytest.raises(ValueError, match="row 1"):
        best_f1_threshold([0.1, bad], [0, 1])


def test_wrong_shapes_and_labels_are_errors() -> None:
    with pytest.raises(ValueError, match="shape"):
        auroc([0.1, 0.2], [1])
    with pytest.raises(ValueError, match="labels must be"):
        auroc([0.1, 0.2], [1, 2])
    with pytest.raises(ValueError, match="2 scores, 1 categories"):
        near_miss_metrics([0.1, 0.2], [0, 1], ["c"], ["a"] * 2, [0.5] * 2, None)
    with pytest.raises(ValueError, match="1 anchors"):
        pairwise_accuracy([0.1, 0.2], [0, 1], ["a"])


def test_torch_s_settings_are_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    """They belong to the process: another thread would compute with what a metric sets for itself."""

    def refused(*_: object) -> None:
        raise AssertionError("a metric changed a setting of the process")

    for setting in ("set_default_dtype", "set_num_threads"):
        monkeypatch.setattr(torch, setting, refused)
    example()


def test_edited_words_are_measured_where_they_are_scored() -> None:
    labels, edited = [1, 1, 0, 0, 0], [0.9, 0.1, 0.3, 0.2, 0.5]
    rows = ([0.5] * 5, labels, ["p", "p", "x", "x", "y"], list("abcde"), [0.0] * 5, None)
    found = near_miss_metrics(*rows, edit_words=edited)
    assert found["edit_words_auroc"] == pytest.approx(sklearn.roc_auc_score(labels, edited), abs=1e-12)
    for name, kept in (("x", [0, 1, 2, 3]), ("y", [0, 1, 4])):
        expected = sklearn.roc_auc_score([labels[i] for i in kept], [edited[i] for i in kept])
        assert found["categories"][name]["edit_words_auroc"] == pytest.approx(expected, abs=1e-12)
    assert near_miss_metrics(*rows)["edit_words_auroc"] is None


def test_rank_correlation_is_that_of_ranks() -> None:
    scores, overlap = [0.1, 0.4, 0.4, 0.9, 0.2], [0.3, 0.2, 0.8, 0.9, 0.1]
    ranks = [[1, 3.5, 3.5, 5, 2], [3, 2, 4, 5, 1]]
    assert rank_correlation(scores, overlap) == pytest.approx(float(np.corrcoef(ranks)[0, 1]))
    assert rank_correlation([1.0, 1.0], [0.1, 0.2]) is None
    assert rank_correlation([1.0], [0.1]) is None
