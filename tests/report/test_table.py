"""`compret report`: the means it takes, the differences it shows, and what it says of files that are not its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from compret.report.runs import read_run
from compret.report.table import table
from compret.types import UserError


def write(folder: Path, retrieval: dict[str, float], nearmiss: dict[str, float | None]) -> Path:
    folder.mkdir(parents=True)
    stored = {
        "retrieval": {name: {"ndcg@10": value} for name, value in retrieval.items()},
        "nearmiss": {name: {"auroc": value} for name, value in nearmiss.items()},
    }
    (folder / "results.json").write_text(json.dumps(stored))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    first = write(tmp_path / "a", {"x": 0.4, "y": 0.6, "mean": 0.5}, {"p": 0.5, "q": None})
    return first, write(tmp_path / "b", {"x": 0.2, "y": 0.4, "mean": 0.3}, {"p": 0.7, "q": 0.9})


def test_means_are_over_the_datasets_that_define_the_number(runs: tuple[Path, Path]) -> None:
    assert read_run(str(runs[0])).values == pytest.approx((0.5, 0.5))
    assert read_run(f"named={runs[1] / 'results.json'}").values == pytest.approx((0.3, 0.8))


def test_folders_of_one_run_are_joined(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one", {"x": 0.4}, {}), write(tmp_path / "two", {}, {"p": 0.9})
    assert read_run(f"both={one},{two}").values == (0.4, 0.9)
    assert read_run(str(one)).values == (0.4, None)


def test_the_table_shows_differences_to_the_first_run(runs: tuple[Path, Path]) -> None:
    lines = table([read_run(f"r{i}={run}") for i, run in enumerate(runs)]).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[2] == ["r0", "0.500", "", "0.500", ""]
    assert cells[3] == ["r1", "0.300", "-0.200", "0.800", "+0.300"]


def test_the_figure_is_drawn(runs: tuple[Path, Path], compret: Callable[..., tuple[int, str]], tmp_path: Path) -> None:
    code, said = compret("report", *runs, "--figure", tmp_path / "figure.png")
    assert code == 0, said
    assert (tmp_path / "figure.png").read_bytes()[:4] == b"\x89PNG"
    assert compret("report", *runs, "--figure", tmp_path / "none" / "figure.png")[0] == 2


def test_other_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(UserError, match=r"other.json: not a results.json of compret"):
        read_run(str(tmp_path / "other.json"))
    with pytest.raises(UserError, match=r"none: cannot be read \(No such file"):
        read_run(str(tmp_path / "none"))
