"""The table of a run: each set and category with its numbers as results.json has them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from compret import tables
from compret.callbacks.summary import _SPARE as SPARE
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
    tables.show(["set", "AUROC"], rows)
    drawn = capsys.readouterr().out
    assert "─" in drawn
    assert [re.sub(r"\x1b\[\d*m", "", line).split() for line in drawn.splitlines()][-2:] == [
        ["zoo", "0.500"],
        ["role-swap", "1.000"],
    ]


@pytest.mark.parametrize("columns", [80, 120])
def test_each_name_and_number_is_whole_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    near = {"auroc": 0.5, "tpr@fpr=0.01": 0.25, "threshold": 0.8, "negative_mean": 0.75}
    found = {
        "retrieval": {"stdlib": {"ndcg@10": 0.125, "recall@100": 0.375}},
        "nearmiss": {"MinimalPairs": {**near, "categories": {"attribute-binding": {"auroc": 0.625}}}},
        "meta": {"counts": {"stdlib": {"queries": 2000, "documents": 2000}, "MinimalPairs": {"pairs": 4000}}},
        "timing": {"stdlib": {"encode": 100.0}, "MinimalPairs": {"encode": 100.0}},
    }
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    tables.show(*table(list(lines(found))), spare=SPARE)
    drawn = re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out)
    assert max(map(len, drawn.splitlines())) <= columns
    for text in ("stdlib", "MinimalPairs", "  attribute-binding", "0.125", "0.500", "0.625", "0.800", "texts/s"):
        assert text in drawn
    assert ("near-miss mean" in drawn) == (columns == 120)
