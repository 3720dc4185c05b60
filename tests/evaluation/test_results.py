"""results.json and the files beside it: what is written reads back the same, and every number follows from them."""

from __future__ import annotations

import copy
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compret.atomic import atomic_write
from compret.evaluation.near_miss import NearMissResult, NearMissSet
from compret.evaluation.results import Results
from compret.evaluation.retrieval import RetrievalResult, measured
from compret.metrics.edit_words import edit_word_scores
from compret.metrics.near_miss import jaccard, near_miss_metrics
from compret.metrics.ranking import METRICS
from compret.results_file import read_results_file
from compret.types import UserError

META = {"versions": {"compret": "0"}, "backbone": "b", "seed": 42, "max_length": 128, "checkpoint": None}


def retrieval(name: str, suite: str = "NanoBEIR", seed: int = 0, verifier: bool = False, graded: bool = False) -> Any:
    rng = np.random.default_rng(seed)
    documents = [f"doc {i}%\u2003x" if i % 7 == 0 else f"d{i}" for i in range(150)]

    def ranking() -> list[tuple[str, float]]:
        scores = sorted(rng.normal(size=100).round(1).tolist(), reverse=True)
        return [(documents[i], s) for i, s in zip(rng.permutation(150)[:100], scores, strict=True)]

    queries = [f"{name} q{i}" for i in range(20)]
    run, second = ({query: ranking() for query in queries} for _ in range(2))
    qrels = {q: {documents[i]: int(rng.integers(0, 3)) for i in rng.integers(0, 150, 12)} for q in queries}
    qrels[queries[0]] = {documents[0]: 0}
    facts = {"name": name, "suite": suite, "fingerprint": f"print of {name}", "counts": {"documents": 150}}
    seconds, score = {"encode": 1.5, "search": 0.25}, "verifier" if verifier else "cosine"
    return measured(run, qrels, second if verifier else None, graded, seconds=seconds, score=score, **facts)


def unjudged(name: str, run: Any, qrels: Any) -> RetrievalResult:
    return measured(run, qrels, None, name=name, suite="BEIR", fingerprint="", score="cosine", counts={}, seconds={})


def near_miss(name: str, threshold: float | None = 0.4, pairs: int = 60, label: int | None = None) -> NearMissResult:
    rng = np.random.default_rng(len(name))
    anchors = [f"an “anchor”\u2028{i % 15}\n" for i in range(pairs)]
    candidates = [f"a candidate {i}" for i in range(pairs)]
    labels = [int(y) if label is None else label for y in rng.integers(0, 2, pairs)]
    categories = ["paraphrase" if y else ("negation", "spatial")[i % 2] for i, y in enumerate(labels)]
    scores = rng.normal(size=pairs)
    overlap = [jaccard(a, c) for a, c in zip(anchors, candidates, strict=True)]
    edited = edit_word_scores(anchors, candidates, labels)
    metrics = near_miss_metrics(scores, labels, categories, anchors, overlap, threshold, edited)
    data = NearMissSet(name, anchors, candidates, labels, categories, f"print of {name}")
    facts = {"counts": {"pairs": pairs, "truncated_texts": 3}, "seconds": {"encode": 0.5}, "score": "cosine"}
    return NearMissResult(name=name, fingerprint=data.fingerprint, metrics=metrics, data=data, scores_P=scores, **facts)  # type: ignore[arg-type]


@pytest.fixture
def results() -> Results:
    return Results(
        META,
        [
            *(retrieval("NanoNQ"), retrieval("NanoFEVER", seed=1, graded=True), retrieval("cqa/android", "BEIR", 2)),
            *(near_miss("edits"), near_miss("open", threshold=None), near_miss("one-class", label=0)),
        ],
    )


def test_all_files_are_written_and_nothing_else(results: Results, tmp_path: Path) -> None:
    assert results.write(tmp_path / "new" / "run") == tmp_path / "new" / "run" / "results.json"
    found = {str(p.relative_to(tmp_path / "new" / "run")) for p in tmp_path.rglob("*") if p.is_file()}
    datasets = ("NanoNQ", "NanoFEVER", "cqa_android")
    assert found == {
        "results.json",
        *(f"{kind}/{name}.trec" for name in datasets for kind in ("runs", "qrels")),
        *(f"per_query/{name}.jsonl" for name in datasets),
        *(f"scores/{name}.jsonl" for name in ("edits", "open", "one-class")),
    }


def test_the_file_has_the_contract_s_shape(results: Results, tmp_path: Path) -> None:
    stored = json.loads(results.write(tmp_path).read_text())
    assert list(stored) == ["meta", "retrieval", "nearmiss", "timing"]
    assert META.items() <= stored["meta"].items()
    assert set(stored["retrieval"]) == {"NanoNQ", "NanoFEVER", "cqa/android", "mean"}
    assert all(set(row) == set(METRICS) for row in stored["retrieval"].values())
    rows = [stored["retrieval"][name]["ndcg@10"] for name in ("NanoNQ", "NanoFEVER", "cqa/android")]
    assert stored["retrieval"]["mean"]["ndcg@10"] == pytest.approx(sum(rows) / 3)
    assert set(stored["nearmiss"]) == {"edits", "open", "one-class"}, "no mean over sets of no suite"
    assert stored["nearmiss"]["edits"] == results.all[3].metrics
    assert stored["timing"]["NanoNQ"] == {"encode": 1.5, "search": 0.25}
    counts = {"queries": 19, "dropped_queries": 1, "documents": 150}
    assert stored["meta"]["counts"]["NanoNQ"] == counts
    assert stored["meta"]["counts"]["edits"] == {"pairs": 60, "truncated_texts": 3}
    assert stored["meta"]["data"]["NanoFEVER"] == {
        **{"suite": "NanoBEIR", "score": "cosine", "ndcg_gain": "graded", "fingerprint": "print of NanoFEVER"}
    }


def test_every_number_follows_from_the_files(results: Results, tmp_path: Path) -> None:
    stored = json.loads(results.write(tmp_path).read_text())
    again = Results.read(tmp_path)
    assert again.to_dict() == stored
    emptied = [replace(r, metrics={"threshold": r.metrics.get("threshold")}) for r in again.all]
    recomputed = replace(again, all=emptied).recomputed()
    assert recomputed.to_dict() == stored
    for ours, theirs in zip(recomputed.all[:3], results.all[:3], strict=True):
        assert (ours.run, ours.per_query, ours.metrics) == (theirs.run, theirs.per_query, theirs.metrics)


def test_with_a_verifier_the_recall_stage_is_kept_too(tmp_path: Path) -> None:
    results = Results(META, [retrieval("NanoNQ", verifier=True), retrieval("NanoFEVER", seed=1, verifier=True)])
    stored = json.loads(results.write(tmp_path).read_text())
    first = stored["retrieval"]["NanoNQ"]
    assert set(first) == {*METRICS, "recall_stage"}
    assert set(first["recall_stage"]) == set(METRICS)
    assert first["recall_stage"] != {key: first[key] for key in METRICS}
    rows = [stored["retrieval"][name]["recall_stage"]["map@100"] for name in ("NanoNQ", "NanoFEVER")]
    assert stored["retrieval"]["mean"]["recall_stage"]["map@100"] == pytest.approx(sum(rows) / 2)
    assert Results.read(tmp_path / "results.json").recomputed().to_dict() == stored
    flat = results.flat()
    assert flat["NanoNQ_verifier_ndcg@10"] == first["ndcg@10"]
    assert flat["NanoNQ_verifier_recall_stage_ndcg@10"] == first["recall_stage"]["ndcg@10"]
    assert "NanoBEIR_mean_verifier_recall_stage_ndcg@10" in flat


def test_runs_and_judgements_have_trec_s_columns(tmp_path: Path) -> None:
    result = retrieval("NanoNQ")
    Results(META, [result]).write(tmp_path)
    run, qrels = ((tmp_path / kind / "NanoNQ.trec").read_text().splitlines() for kind in ("runs", "qrels"))
    document, score = result.run["NanoNQ q0"][0]
    for plain, coded in (("%", "%25"), (" ", "%20"), ("\u2003", "%E2%80%83")):
        document = document.replace(plain, coded)
    assert run[0] == f"NanoNQ%20q0 Q0 {document} 1 {score!r} compret"
    assert [line.split()[3] for line in run[:100]] == [str(rank) for rank in range(1, 101)]
    assert len(run) == 20 * 100
    assert qrels[0] == "NanoNQ%20q0 0 doc%200%25%E2%80%83x 0"
    assert {len(line.split()) for line in qrels} == {4}


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(names, st.lists(names, min_size=1, max_size=4, unique=True), min_size=1, max_size=4))
def test_any_ids_and_scores_read_back(tmp_path_factory: pytest.TempPathFactory, found: dict[str, list[str]]) -> None:
    run = {query: [(d, (i + 1) / 3) for i, d in enumerate(documents)] for query, documents in found.items()}
    qrels = {query: {d: i for i, d in enumerate(documents)} for query, documents in found.items()}
    result = unjudged("x", run, qrels)
    folder = tmp_path_factory.mktemp("any")
    stored = json.loads(Results({}, [result]).write(folder).read_text())
    again = Results.read(folder)
    assert (again.all[0].run, again.all[0].qrels) == (run, qrels)
    assert again.recomputed().to_dict() == stored


def test_what_is_not_defined_is_null(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = {"q": [("d", 1.0)]}
    sets = [near_miss("open", None), near_miss("one-class", 0.1, label=1)]
    results = Results(META, [retrieval("NanoNQ"), unjudged("empty", run, {}), *sets])
    path = results.write(tmp_path)
    assert "NaN" not in path.read_text()
    stored = json.loads(path.read_text())
    assert set(stored["retrieval"]["empty"].values()) == {None}
    assert set(stored["retrieval"]["mean"].values()) == {None}
    assert stored["nearmiss"]["open"]["f1"] is stored["nearmiss"]["open"]["threshold"] is None
    assert stored["nearmiss"]["one-class"]["auroc"] is None
    assert caplog.messages == ["open: threshold and f1 are null: no validation pairs chose one"]
    assert Results.read(tmp_path).recomputed().to_dict() == stored
    assert not any(name.startswith(("empty", "BEIR")) for name in results.flat())


def test_flat_names_are_those_of_sentence_transformers(results: Results) -> None:
    flat = results.flat()
    rows = [r.metrics["ndcg@10"] for r in results.all[:3]]
    assert flat["NanoNQ_cosine_ndcg@10"] == rows[0]
    assert flat["NanoBEIR_mean_cosine_ndcg@10"] == pytest.approx((rows[0] + rows[1]) / 2)
    assert flat["BEIR_mean_cosine_ndcg@10"] == rows[2]
    assert flat["edits_cosine_auroc"] == results.all[3].metrics["auroc"]
    assert all(isinstance(value, float) for value in flat.values())


def test_headline_weighs_both_questions_alike(results: Results) -> None:
    ndcg = np.mean([r.metrics["ndcg@10"] for r in results.all[:3]])
    auroc = np.mean([r.metrics["auroc"] for r in results.all[3:5]])
    assert results.headline() == pytest.approx((ndcg + auroc) / 2)
    assert replace(results, all=results.all[:3]).headline() == pytest.approx(ndcg)
    with pytest.raises(UserError, match="no dataset defines"):
        Results({}, [near_miss("one-class", label=0)]).headline()


@pytest.mark.parametrize(("other", "told"), [("NanoNQ", "'NanoNQ' stands there twice"), ("mean", "'mean'")])
def test_names_that_are_taken_are_refused(other: str, told: str) -> None:
    with pytest.raises(UserError, match=f"dataset {told}"):
        Results(META, [retrieval("NanoNQ"), retrieval(other)])
    with pytest.raises(UserError, match="'a_b' stands there beside 'a/b'"):
        Results(META, [retrieval("a/b"), near_miss("a_b")])


def test_a_folder_that_cannot_be_written_is_one_line(results: Results, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/qrels/NanoNQ.trec: cannot be written \(Not a directory\)"):
        results.write(tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_one_line(results: Results, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission denied"):
        results.write(tmp_path)


def test_a_broken_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    with atomic_write(path) as file:
        file.write("old")
    with pytest.raises(TypeError), atomic_write(path) as file:
        file.writelines(["new", 1])  # type: ignore[list-item]
    assert path.read_text() == "old"
    assert os.listdir(path.parent) == ["file.txt"]


def test_results_json_comes_last(results: Results, tmp_path: Path) -> None:
    bad = replace(results, meta={"a value that JSON has not": {1, 2}})
    with pytest.raises(TypeError):
        bad.write(tmp_path)
    assert (tmp_path / "scores" / "one-class.jsonl").is_file()
    assert not (tmp_path / "results.json").exists()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("results.json", None, "results.json: no such file"),
        ("results.json", "{", "results.json: not valid JSON"),
        ("results.json", "{}", "results.json: 'meta': must hold names and values, not missing"),
        ("results.json", "[]", "results.json: must hold names and values, not a list"),
        ("results.json", "[" * 9999, "results.json: nested too deep"),
        ("results.json", '"' + "x" * (17 << 20) + '"', "results.json: 17,825,794 bytes, where at most 16,777,216"),
        ("runs/NanoNQ.trec", None, "NanoNQ.trec: no such file"),
        ("runs/NanoNQ.trec", "q Q0 d 1 high compret", "NanoNQ.trec: not as compret writes it"),
        ("runs/NanoNQ.trec", "q Q0 d 1 nan compret", "NanoNQ.trec: not as compret writes it .*nan is not finite"),
        ("qrels/NanoNQ.trec", "q 0 d", "NanoNQ.trec: not as compret writes it .3 columns where there are 4"),
        ("per_query/NanoNQ.jsonl", '{"query": "q"}', "NanoNQ.jsonl: line 1: 'ndcg@10' must be a number, not missing"),
        ("per_query/NanoNQ.jsonl", '{"query": NaN}', "NanoNQ.jsonl: line 1: not valid JSON"),
        ("scores/edits.jsonl", '{"anchor": "a"}', "edits.jsonl: line 1: 'candidate' must be a text, not missing"),
        ("scores/edits.jsonl", "\n[]", "edits.jsonl: line 2: must hold names and values, not a list"),
        ("scores/edits.jsonl", "\ud800", "edits.jsonl: cannot be read"),
    ],
)
def test_files_that_cannot_be_read_are_named(
    results: Results, tmp_path: Path, name: str, text: str | None, message: str
) -> None:
    results.write(tmp_path)
    (tmp_path / name).unlink()
    if text is not None:
        (tmp_path / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(UserError, match=message) as caught:
        Results.read(tmp_path)
    assert "\n" not in str(caught.value)


def places(content: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of all values of the parts that are read, in and below the mappings."""
    inner = [places(value, (*path, key)) for key, value in content.items()] if isinstance(content, dict) else []
    return [path, *(p for found in inner for p in found)]


STORED = Results(META, [retrieval("NanoNQ", verifier=True), near_miss("edits")]).to_dict()
READ = [p for p in places(STORED) if p[:1] != ("meta",) or p[1:2] in (("data",), ("counts",), ())]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(READ), st.sampled_from(["[1]", '"text"', "NaN", "1e999", "-Infinity", "true", f"1{'0' * 400}"]))
def test_a_value_of_another_kind_is_named_with_its_key(
    tmp_path_factory: pytest.TempPathFactory, path: tuple[str, ...], value: str
) -> None:
    stored = copy.deepcopy(STORED)
    inner = stored
    for key in path[:-1]:
        inner = inner[key]
    if path:
        inner[path[-1]] = "HERE"
    file = tmp_path_factory.mktemp("other") / "results.json"
    file.write_text(json.dumps(stored if path else "HERE").replace('"HERE"', value))
    if value == '"text"' and path[:2] == ("meta", "data") and len(path) == 4:
        return
    with pytest.raises(UserError) as caught:
        read_results_file(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert value in ("NaN", "-Infinity") or all(f"'{key}'" in str(caught.value) for key in path[-1:])


def test_a_dataset_without_facts_is_refused(results: Results, tmp_path: Path) -> None:
    path = results.write(tmp_path)
    for part in ("data", "counts"):
        stored = json.loads(path.read_text())
        del stored["meta"][part]["edits"]
        (tmp_path / "other.json").write_text(json.dumps(stored))
        with pytest.raises(UserError, match=f"other.json: 'meta': '{part}': 'edits': must hold names and values"):
            Results.read(tmp_path / "other.json")


@pytest.mark.parametrize("threshold", [{}, [1], "high", True])
def test_a_threshold_is_a_number(results: Results, tmp_path: Path, threshold: object) -> None:
    path = results.write(tmp_path)
    stored = json.loads(path.read_text())
    stored["nearmiss"]["edits"]["threshold"] = threshold
    path.write_text(json.dumps(stored))
    with pytest.raises(UserError, match="'threshold'.* must "):
        Results.read(tmp_path)


def test_labels_are_0_or_1(results: Results, tmp_path: Path) -> None:
    results.write(tmp_path)
    path = tmp_path / "scores" / "edits.jsonl"
    path.write_text(path.read_text().replace('"label": 1', '"label": 2'))
    with pytest.raises(UserError, match="edits.jsonl: line .*: 'label' must be 1 or 0"):
        Results.read(tmp_path)
