"""A key follows from what a run's numbers follow from, and from nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from compret.config_files import GivenFirst
from compret.experiment.keys import code_key, config_key, data_key


def given(*words: str) -> GivenFirst:
    return GivenFirst(["fit", *words], ("ckpt_path",))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beir" / "zoo" / "qrels").mkdir(parents=True)
    for name in ("rows.jsonl", "other.jsonl", "beir/zoo/corpus.jsonl", "beir/zoo/qrels/test.tsv"):
        (tmp_path / name).write_text(name)
    return tmp_path


SUITES = json.dumps([{"class_path": "NanoBEIR", "init_args": {"source": "beir"}}])


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (["--data.files=[rows.jsonl]"], "rows.jsonl"),
        (["--data.files=[a/hub,reworded:rows.jsonl]"], "rows.jsonl"),
        (["--data.source", "beir"], "beir/zoo/qrels/test.tsv"),
        ([f"--data.validation={SUITES}"], "beir/zoo/corpus.jsonl"),
        (["--model.backbone=beir"], "beir/zoo/corpus.jsonl"),
    ],
)
def test_content_of_what_is_named_counts(data: Path, words: list[str], file: str) -> None:
    before = data_key(given(*words))
    (data / "other.jsonl").write_text("changed")
    os.utime(data / file, (1, 1))
    assert data_key(given(*words)) == before
    (data / file).write_text("changed")
    assert data_key(given(*words)) != before


def test_a_further_file_in_a_folder_counts(data: Path) -> None:
    before = data_key(given("--data.source=beir"))
    (data / "beir" / "zoo" / "queries.jsonl").touch()
    assert data_key(given("--data.source=beir")) != before


def test_embedded_data_hangs_on_the_installed_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [data_key(given(f"--data.files=[{name}]")) for name in ("pydoc:retrieval", "some/hub")]
    monkeypatch.setattr("compret.experiment.keys._installed", lambda: ["other-1.0.dist-info"])
    after = [data_key(given(f"--data.files=[{name}]")) for name in ("pydoc:retrieval", "some/hub")]
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True]


def test_a_config_counts_by_content(data: Path) -> None:
    for name, text in (
        ("a", "trainer: {max_steps: 3}"),
        ("b", "# said\ntrainer:\n  max_steps: 3\n"),
        ("c", "trainer: {}"),
    ):
        (data / f"{name}.yaml").write_text(text)
    keys = [config_key(given("--config", f"{name}.yaml")) for name in "abc"]
    assert keys[0] == keys[1] != keys[2]
    assert config_key(given("--config", "a.yaml", "--seed_everything=2")) not in keys


def test_code_of_rooms_that_no_run_executes_is_left_out(tmp_path: Path) -> None:
    for name in ("nn/encoder.py", "report/table.py", "experiment/show.py", "nn/__pycache__/encoder.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    before = code_key(tmp_path)
    for name in ("report/table.py", "experiment/show.py", "nn/__pycache__/encoder.pyc"):
        (tmp_path / name).write_text("changed")
    assert code_key(tmp_path) == before
    (tmp_path / "nn/encoder.py").write_text("changed")
    assert code_key(tmp_path) != before
