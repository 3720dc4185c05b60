"""The table of a run: each set and category with its numbers as results.json has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from compret import tables
from compret.callbacks.summary import lines, table

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def results(compret: Run, tiny: Path, embedded: Path, tmp_path: Path) -> tuple[dict[str, object], str]:
    options = ["--model.backbone", tiny, "--model.max_length", 32, "--trainer.accelerator", "cpu"]
    code, said = compret("test", "--config", "pydoc.yaml", *options)
    assert code == 0, said
    (path,) = tmp_path.rglob("results.json")
    return json.loads(path.read_text()), said


def row(said: str, name: str) -> list[str]:
    (found,) = [line for line in said.splitlines() if line.strip().startswith(f"{name}  ") or line.split() == [name]]
    return found.split()


def test_a_row_has_the_numbers_of_results_json(results: tuple[dict[str, object], str]) -> None:
    stored, said = results
    for room, metric in (("retrieval", "ndcg@10"), ("nearmiss", "auroc")):
        for name, values in stored[room].items():  # type: ignore[attr-defined]
            if name != "mean":
                assert f"{values[metric]:.3f}" in row(said, name)
                for category, below in values.get("categories", {}).items():
                    assert f"{below['auroc']:.3f}" in row(said, category)


def test_texts_a_second_are_texts_by_seconds(results: tuple[dict[str, object], str]) -> None:
    for line in lines(results[0]):
        if line.texts:
            texts, seconds, speed = table([line])[1][0][-3:]
            assert texts == f"{line.texts:,}"
            assert speed == f"{line.texts / line.seconds:,.0f}"
            assert seconds == f"{line.seconds:.2f}"


def test_a_number_that_is_not_defined_is_no_number() -> None:
    counts, timing = {"a": {"pairs": 2}, "b": {"pairs": 2}}, {"a": {"encode": 1.0}, "b": {"encode": 1.0}}
    near = {"a": {"auroc": None, "threshold": None}, "b": {"auroc": 0.5, "threshold": None}}
    found = {"nearmiss": near, "meta": {"counts": counts}, "timing": timing}
    headings, rows = table(list(lines(found)))
    assert headings[:2] == ["set", "AUROC"]
    assert "threshold" not in headings
    assert [cells[1] for cells in rows] == ["-", "0.500"]


def test_the_mean_of_several_sets_is_a_row() -> None:
    of = {name: {"ndcg@10": value} for name, value in (("a", 0.25), ("b", 0.75), ("mean", 0.5))}
    found = {"retrieval": of, "meta": {"counts": {}}, "timing": {}}
    assert [line.name for line in lines(found)] == ["a", "b", "mean"]
    del of["b"]
    assert [line.name for line in lines(found)] == ["a"]


def test_a_file_gets_columns_and_a_terminal_a_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [["zoo", "0.500"], ["  role-swap", "1.000"]]
    tables.show(["set", "AUROC"], rows)
    assert capsys.readouterr().out == "set          AUROC\nzoo          0.500\n  role-swap  1.000\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for columns in (80, 120):
        monkeypatch.setenv("COLUMNS", str(columns))
        tables.show(["set", "AUROC"], rows)
        drawn = capsys.readouterr().out
        assert "─" in drawn
        assert max(map(len, drawn.splitlines())) <= columns
