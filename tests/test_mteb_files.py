"""`compret mteb`: each number of a retrieval set under MTEB's name; by MTEB's own reader where it is installed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compret.data.retrieval import NANO_NAMES
from compret.mteb_files import task_result
from compret.results_file import ResultsFile

Run = Callable[..., tuple[int, str]]
METRICS = {"ndcg@10": 0.25, "mrr@10": 0.5, "accuracy@1": 1, "recall@100": None, "recall_stage": {"ndcg@10": 0.1}}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    data = {
        "NanoNQ": {"suite": "NanoBEIR", "fingerprint": "f1", "score": "cosine"},
        "NanoClimateFEVER": {"suite": "NanoBEIR", "fingerprint": "f2", "score": "cosine"},
        "zoo/cats": {"suite": "BEIR", "fingerprint": "f3", "score": "cosine"},
        "empty": {"suite": "BEIR", "fingerprint": "f4", "score": "cosine"},
        "pairs": {"fingerprint": "f5", "score": "cosine"},
    }
    retrieval: dict[str, Any] = dict.fromkeys([*data][:3], METRICS) | {"empty": {"ndcg@10": None}}
    content = {
        "meta": {"data": data, "counts": {name: {} for name in data}},
        "retrieval": {**retrieval, "mean": {"ndcg@10": 0.25}},
        "nearmiss": {"pairs": {"auroc": 0.5}},
        "timing": {name: {"encode": 1.5, "search": 0.5} for name in data},
    }
    folder = tmp_path / "logs" / "mine" / "version_0"
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps(content))
    return tmp_path


def test_each_set_is_a_task(compret: Run, results: Path) -> None:
    code, said = compret("mteb", "logs/mine", "--out", "mteb")
    assert code == 0
    names = {"NanoNQRetrieval", "NanoClimateFeverRetrieval", "zoo_cats"}
    assert {path.name for path in (results / "mteb").iterdir()} == {f"{name}.json" for name in names}
    stored = json.loads((results / "mteb" / "NanoNQRetrieval.json").read_text())
    [entry] = stored["scores"]["train"]
    assert entry == {
        **{"main_score": 0.25, "ndcg_at_10": 0.25, "mrr_at_10": 0.5, "hit_rate_at_1": 1},
        **{"hf_subset": "default", "languages": ["eng-Latn"]},
    }
    assert (stored["dataset_revision"], stored["evaluation_time"]) == ("f1", 2.0)
    assert [*json.loads((results / "mteb" / "zoo_cats.json").read_text())["scores"]] == ["test"]
    assert "left out: empty, whose ndcg@10 is not defined" in said
    assert "left out: nearmiss (pairs), which is no task of MTEB's" in said


def test_mteb_reads_them(compret: Run, results: Path) -> None:
    reader = pytest.importorskip("mteb.results.task_result").TaskResult
    assert compret("mteb", "logs/mine", "--out", "mteb")[0] == 0
    for path in (results / "mteb").iterdir():
        read = reader.model_validate_json(path.read_text())
        assert read.get_score() == 0.25
        assert read.languages == ["eng"]


def test_what_mteb_calls_the_sets_of_nanobeir() -> None:
    pytest.importorskip("mteb.results.task_result")  # a folder named mteb would pass for the package
    from mteb import get_tasks

    names = {task.metadata.name: task.metadata for task in get_tasks(task_types=["Retrieval"], languages=["eng"])}
    for name in NANO_NAMES.values():
        content = task_result(stored(name), name, "eng-Latn")
        assert names[content["task_name"]].eval_splits == [*content["scores"]]


def stored(name: str) -> ResultsFile:
    meta = {"data": {name: {"suite": "NanoBEIR", "fingerprint": "f"}}}
    return ResultsFile(Path(), meta, {"retrieval": {name: METRICS}}, {name: {}})


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["none", "--out", "mteb"], "none"),
        (["logs/mine"], "the following arguments are required: --out"),
        (["pairs", "--out", "mteb"], "no retrieval in it"),
        (["logs/mine", "--out", "taken"], "cannot be written"),
    ],
)
def test_a_mistake_is_one_line(compret: Run, results: Path, words: list[str], told: str) -> None:
    (results / "taken").touch()
    (results / "pairs").mkdir()
    content = json.loads((results / "logs/mine/version_0/results.json").read_text())
    (results / "pairs" / "results.json").write_text(json.dumps({k: v for k, v in content.items() if k != "retrieval"}))
    code, said = compret("mteb", *words)
    assert code == 2
    assert told in said
