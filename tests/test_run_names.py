"""What runs are called, and which results logs/NAME means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from compret.run_names import find_results, run_name


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("logs/structneg/version_0", "structneg"),
        ("logs/structneg/version_12", "structneg/12"),
        ("logs/mine/first/version_0", "first"),
        ("results/today", "today"),
    ],
)
def test_a_run_is_called_by_its_name(folder: str, name: str) -> None:
    assert run_name(Path(folder)) == name


def test_a_name_means_its_newest_results(tmp_path: Path) -> None:
    for age, version in enumerate(["version_3", "version_10", "version_2"]):
        (tmp_path / version).mkdir()
        (tmp_path / version / "results.json").touch()
        os.utime(tmp_path / version / "results.json", (age, age))
    (tmp_path / "version_11").mkdir()
    assert find_results(tmp_path) == tmp_path / "version_2"
    assert find_results(tmp_path / "version_3") == tmp_path / "version_3"


def test_a_path_without_results_is_left_to_its_reader(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none", tmp_path / "results.json", Path("x" * 5000)):
        assert find_results(path) == path
