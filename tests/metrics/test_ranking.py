"""Ranking metrics beside sentence-transformers' evaluator, scikit-learn, and what must hold for any ranking."""

from __future__ import annotations

import builtins
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compret.metrics.ranking import DEPTH, METRICS, Qrels, Run, ranking_scores

# the name that sentence-transformers 5 and 6 share is an old one in 6
pytestmark = pytest.mark.filterwarnings("ignore:Importing from 'sentence_transformers:DeprecationWarning")

KEYS = (
    ["ndcg@10", "mrr@10", "map@100"]
    + [f"{name}@{k}" for name in ("accuracy", "precision") for k in (1, 3, 5, 10)]
    + [f"recall@{k}" for k in (1, 3, 5, 10, 100)]
)


def random_data(
    seed: int, queries: int = 30, documents: int = 300, depth: int = DEPTH
) -> tuple[dict[str, list[tuple[str, float]]], dict[str, dict[str, int]]]:
    """Rankings of uneven length with many ties, and judgements of up to half the documents with grades 0 to 3."""
    rng = np.random.default_rng(seed)
    ids = [f"d{i}" for i in range(documents)]
    run, qrels = {}, {}
    for i in range(queries):
        scores = rng.integers(0, 40, documents) / 40
        ranked = sorted(zip(ids, scores.tolist(), strict=True), key=lambda pair: (-pair[1], pair[0]))
        run[f"q{i}"] = ranked[: int(rng.integers(1, depth + 1)) if i % 3 == 0 else depth]
        judged = rng.choice(documents, size=int(rng.integers(1, documents // 2)), replace=False)
        qrels[f"q{i}"] = {ids[d]: int(rng.integers(0, 4)) for d in judged} | {ids[judged[0]]: 1}
    return run, qrels


def sentence_transformers_scores(run: Run, qrels: Qrels) -> dict[str, float]:
    from sentence_transformers.evaluation import InformationRetrievalEvaluator

    relevant = {query: {d for d, grade in judged.items() if grade > 0} for query, judged in qrels.items()}
    documents = sorted({d for judged in qrels.values() for d in judged} | {d for r in run.values() for d, _ in r})
    evaluator = InformationRetrievalEvaluator(
        queries={query: query for query in qrels},
        corpus={document: document for document in documents},
        relevant_docs=relevant,
        precision_recall_at_k=[1, 3, 5, 10, 100],
    )
    hits = [[{"corpus_id": d, "score": score} for d, score in run[query]] for query in evaluator.queries_ids]
    found = evaluator.compute_metrics(hits)
    return {f"{name.removesuffix('@k')}@{k}": float(v) for name, at in found.items() for k, v in at.items()}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_equals_sentence_transformers(seed: int) -> None:
    run, qrels = random_data(seed)
    theirs = sentence_transformers_scores(run, qrels)
    ours = ranking_scores(run, qrels)
    assert list(ours.mean) == list(METRICS) == KEYS
    for metric, value in ours.mean.items():
        assert value == pytest.approx(theirs[metric], abs=1e-12), metric


def test_map_divides_by_the_depth_when_more_are_relevant() -> None:
    run = {"q": [(f"d{i:03}", -float(i)) for i in range(DEPTH)]}
    qrels = {"q": {f"d{i:03}": 1 for i in range(250)}}
    scores = ranking_scores(run, qrels)
    assert scores.mean["map@100"] == pytest.approx(1.0)
    assert scores.mean["recall@100"] == pytest.approx(100 / 250)
    assert scores.mean["map@100"] == pytest.approx(sentence_transformers_scores(run, qrels)["map@100"])


def test_graded_ndcg_equals_scikit_learn() -> None:
    from sklearn.metrics import ndcg_score

    run, qrels = random_data(3, documents=DEPTH)
    full = {query: ranking for query, ranking in run.items() if len(ranking) == DEPTH}
    scores = ranking_scores(full, {query: qrels[query] for query in full}, graded=True)
    for query, ranking in full.items():
        gains = [[qrels[query].get(document, 0) for document, _ in ranking]]
        expected = ndcg_score(gains, [np.arange(DEPTH, 0, -1)], k=10)
        assert scores.per_query["ndcg@10"][query] == pytest.approx(expected, abs=1e-12)


def test_grades_move_ndcg_alone() -> None:
    run, qrels = random_data(4)
    graded, binary = ranking_scores(run, qrels, graded=True), ranking_scores(run, qrels)
    assert graded.graded
    assert not binary.graded
    assert {metric for metric in METRICS if graded.mean[metric] != binary.mean[metric]} == {"ndcg@10"}


def test_order_is_the_ranking_and_scores_are_not_looked_at() -> None:
    tied = {"q": [(f"d{i}", 0.5) for i in (7, 3, 9, 1)]}
    assert ranking_scores(tied, {"q": {"d9": 1}}).mean["mrr@10"] == pytest.approx(1 / 3)
    assert ranking_scores(tied, {"q": {"d7": 1}}).mean["mrr@10"] == 1.0


def test_queries_without_a_relevant_document_are_dropped_and_counted() -> None:
    run = {"judged": [("a", 1.0)], "zero": [("a", 1.0)], "unjudged": [("a", 1.0)]}
    qrels = {"judged": {"a": 1}, "zero": {"a": 0, "b": -1}, "empty": {}}
    scores = ranking_scores(run, qrels)
    assert (scores.queries, scores.dropped) == (1, 3)
    assert scores.per_query["ndcg@10"] == {"judged": 1.0}


def test_a_judged_query_that_is_not_in_the_run_scores_zero() -> None:
    scores = ranking_scores({"a": [("d", 1.0)], "c": []}, {"a": {"d": 1}, "b": {"d": 1}, "c": {"d": 1}})
    assert scores.per_query["recall@100"] == {"a": 1.0, "b": 0.0, "c": 0.0}
    assert scores.mean["mrr@10"] == pytest.approx(1 / 3)


@pytest.mark.parametrize(("run", "qrels"), [({}, {}), ({"q": [("d", 1.0)]}, {}), ({}, {"q": {"d": 0}})])
def test_without_a_judged_query_every_mean_is_none(run: Run, qrels: Qrels) -> None:
    scores = ranking_scores(run, qrels)
    assert scores.mean == dict.fromkeys(METRICS)
    assert (scores.queries, scores.dropped) == (0, len(run) + len(qrels))


def test_a_document_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="query 'q': a document stands twice"):
        ranking_scores({"q": [("d", 1.0), ("d", 0.5)]}, {"q": {"d": 1}})


def test_ranks_below_the_depth_do_not_count() -> None:
    run = {"q": [(f"d{i}", -float(i)) for i in range(DEPTH + 5)]}
    assert ranking_scores(run, {"q": {f"d{DEPTH}": 1}}).mean == pytest.approx(dict.fromkeys(METRICS, 0.0))


rankings = st.dictionaries(
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=4),
    st.tuples(
        st.lists(st.integers(0, 30).map(lambda i: f"d{i}"), unique=True, max_size=25),
        st.dictionaries(st.integers(0, 30).map(lambda i: f"d{i}"), st.integers(-1, 3), max_size=12),
    ),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(rankings, st.booleans())
def test_ranges_and_orders_hold(data: dict[str, tuple[list[str], dict[str, int]]], graded: bool) -> None:
    run = {query: [(d, 0.0) for d in documents] for query, (documents, _) in data.items()}
    qrels = {query: judged for query, (_, judged) in data.items()}
    scores = ranking_scores(run, qrels, graded)
    assert scores.queries + scores.dropped == len(data)
    for query in scores.per_query["ndcg@10"]:
        value = {metric: scores.per_query[metric][query] for metric in METRICS}
        assert all(0 <= v <= 1 + 1e-12 for v in value.values())
        assert value["accuracy@1"] == value["precision@1"] <= value["mrr@10"] <= value["accuracy@10"]
        for name in ("accuracy", "recall"):
            assert value[f"{name}@1"] <= value[f"{name}@3"] <= value[f"{name}@5"] <= value[f"{name}@10"]
    turned = ranking_scores(dict(reversed(run.items())), dict(reversed(qrels.items())), graded)
    assert turned.per_query == scores.per_query


@settings(max_examples=40, deadline=None)
@given(st.permutations(range(15)), st.integers(0, 14), st.integers(0, 14))
def test_lifting_a_relevant_document_never_lowers_a_metric(order: list[int], rank: int, target: int) -> None:
    low, high = max(rank, target), min(rank, target)
    qrels = {"q": {f"d{order[low]}": 1, "d0": 1}}
    lifted = [*order[:high], order[low], *order[high:low], *order[low + 1 :]]
    before, after = (ranking_scores({"q": [(f"d{d}", 0.0) for d in ids]}, qrels) for ids in (order, lifted))
    for metric in ("ndcg@10", "mrr@10", "map@100", "recall@10"):
        assert after.per_query[metric]["q"] >= before.per_query[metric]["q"] - 1e-12


def test_a_thousand_queries_take_well_under_a_second() -> None:
    rng = np.random.default_rng(5)
    run = {f"q{i}": [(f"d{d}", 0.0) for d in rng.permutation(5000)[:DEPTH]] for i in range(1000)}
    qrels = {query: {ranking[3][0]: 1, "absent": 1} for query, ranking in run.items()}
    ranking_scores(run, qrels)
    start = time.perf_counter()
    ranking_scores(run, qrels)
    assert time.perf_counter() - start < 0.5


def test_importing_the_metrics_imports_neither_torch_nor_ranx_nor_scipy() -> None:
    code = "import sys, compret.metrics; assert not {'torch', 'ranx', 'scipy', 'torchmetrics'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_ranx_works_where_neither_home_nor_package_can_be_written(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Any
) -> None:
    import numba
    import ranx  # noqa: F401

    real, failures = builtins.__import__, iter([RuntimeError("no locator available")])

    def failing_once(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "ranx" and (error := next(failures, None)):
            raise error
        return real(name, *args, **kwargs)

    monkeypatch.setenv("IR_DATASETS_HOME", "unwritable")
    monkeypatch.setattr(numba.config, "CACHE_DIR", "unwritable")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(builtins, "__import__", failing_once)
    assert ranking_scores({"q": [("d", 1.0)]}, {"q": {"d": 1}}).mean["ndcg@10"] == 1.0
    assert vars(numba.config)["CACHE_DIR"].startswith(str(tmp_path))
    assert "NUMBA_CACHE_DIR" in caplog.text
