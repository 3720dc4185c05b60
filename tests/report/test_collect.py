"""Runs of a folder: what is grouped into systems, and what is left out, named and counted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compret.report.collect import collect, without_seed
from compret.types import UserError

Made = Callable[..., Path]


def test_runs_that_differ_by_their_seed_alone_are_one_system(made: Made) -> None:
    for name, seed in (("structneg-l6-42", 42), ("structneg-l6-43", 43), ("baseline-l6-42", 42), ("untouched", 42)):
        made(name, seed=seed)
    found = collect([str(made("untouched").parent)])
    assert [(system.name, system.seeds) for system in found.systems] == [
        ("baseline-l6", (42,)),
        ("structneg-l6", (42, 43)),
        ("untouched", (42,)),
    ]
    assert (found.notes, found.skipped) == ((), 0)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *[("a-42", "a"), ("42-a", "a"), ("a_seed42", "a"), ("a/seed_42", "a"), ("a-s42-b", "a-b"), ("a-seed=42", "a")],
        *[("a-420", "a-420"), ("a42", "a42"), ("42", "42"), ("gte-142-b", "gte-142-b")],
    ],
)
def test_a_seed_is_taken_from_a_name_and_nothing_else(name: str, expected: str) -> None:
    assert without_seed(name, 42) == expected
    assert without_seed(name, None) == name


@given(st.text(max_size=20), st.integers(0, 99))
def test_a_name_is_left_whatever_it_is(name: str, seed: int) -> None:
    assert without_seed(name, seed) or not name


def test_what_is_not_whole_is_skipped_named_and_counted(made: Made) -> None:
    logs = made("good").parent
    (made("half") / "version_0" / "results.json").write_text('{"meta": {')
    nan = made("nan") / "version_0" / "results.json"
    nan.write_text(nan.read_text().replace('"ndcg@10": 0', '"ndcg@10": NaN, "x": 0', 1))
    old = made("old", changes={"columns": None})
    (logs / "fit" / "version_0").mkdir(parents=True)
    (logs / "fit" / "version_0" / "config.yaml").write_text("")
    failed = made("failed")
    (failed / "version_0" / "run.json").write_text(json.dumps({"state": "failed"}))
    found = collect([str(logs)])
    assert [system.name for system in found.systems] == ["good"]
    assert found.skipped == 5
    said = "\n".join(found.notes)
    for part in (
        "half/version_0/results.json: not valid JSON",
        "nan/version_0/results.json",
        f"{old}",
        "is not done (failed)",
    ):
        assert part in said
    assert "1 without results: fit/version_0" in said


def test_of_two_runs_of_one_system_and_seed_the_newer_counts(made: Made) -> None:
    old, new = made("a"), made("a/again")
    os.utime(old / "version_0" / "results.json", (1, 1))
    (new / "version_0").rename(old / "version_1")
    new.rmdir()
    found = collect([str(old.parent)])
    assert [run.folder.name for run in found.runs] == ["version_1"]
    assert found.notes == (f"skipped: {old}/version_0: a with seed 42 stands there twice; {old}/version_1 is newer",)


def test_what_compret_experiment_wrote_down_is_used(made: Made) -> None:
    run = made("r-42")
    record = {"state": "done", "system": "the system", "command": ["compret", "test"]}
    (run / "version_0" / "run.json").write_text(json.dumps(record))
    found = collect([str(run.parent)])
    assert (found.systems[0].name, found.runs[0].command) == ("the system", "compret test")


def test_no_run_at_all_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run with results.json; compret test writes them"):
        collect([str(tmp_path)])
