"""What is missing is run and nothing else, whatever ended the run before; with fast scripts in place of compret."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from compret.__main__ import main as compret_main
from compret.experiment.command import main
from compret.experiment.records import read_record
from compret.folders import VERSION
from compret.types import UserError
from tests.processes import children, finish, is_running, start, wait_until

FAKE = (sys.executable, "-S", str(Path(__file__).with_name("fake.py")))
MATRIX = {
    "name": "mine",
    "values": {"steps": 10},
    "report": {"baseline": "untouched"},
    "matrix": {
        "axes": {"system": {"untouched": {"fit": None}, "trained": None}, "seed": [2, 3]},
        "fit": {"config": "rows.yaml", "seed_everything": "{seed}", "trainer.max_steps": "{steps}"},
        "test": {"seed_everything": "{seed}"},
    },
}
PARTS = ["test untouched-2", "test untouched-3"]
PARTS += [f"{command} trained-{seed}" for seed in (2, 3) for command in ("fit", "test")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a matrix, a config and rows to train on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VERSION, raising=False)
    (tmp_path / "rows.jsonl").write_text('{"anchor": "a", "positive": "b"}\n')
    (tmp_path / "rows.yaml").write_text("data: {files: [rows.jsonl]}\n")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(MATRIX, sort_keys=False))
    return tmp_path


def experiment(*words: str) -> int:
    return main(["mine.yaml", *words], FAKE)


def calls(root: Path, what: str = "begins") -> list[str]:
    """`COMMAND RUN` of each that said so, in order; what was said is taken away."""
    path = root / "calls"
    said = path.read_text().splitlines() if path.exists() else []
    return [line.split(f" {what}")[0] for line in said if f" {what}" in line]


def said_since(root: Path, before: Sequence[str]) -> list[str]:
    return calls(root)[len(before) :]


def numbers(root: Path) -> dict[str, Any]:
    found = (json.loads(path.read_text()) for path in root.glob("logs/mine/*/version_0/results.json"))
    return {results["run"]: results["number"] for results in found}


WHOLE = {"untouched-2": 0, "untouched-3": 0, "trained-2": 20, "trained-3": 30}


def test_all_is_run_once_and_then_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert experiment() == 0
    assert "mine: 6 missing" in capsys.readouterr().out
    assert calls(folder) == calls(folder, "ends") == PARTS
    assert numbers(folder) == WHOLE
    assert experiment() == 0
    assert calls(folder) == PARTS
    assert capsys.readouterr().out.count("mine: 6 done") == 2


def test_what_a_run_leaves(folder: Path) -> None:
    begun = time.time()
    assert experiment("--only", "trained-2") == 0
    assert calls(folder) == ["fit trained-2", "test trained-2"]
    left = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name[0] != "."}
    logs, fit = "logs/mine/trained-2/version_0", "logs/mine/trained-2/fit"
    assert left == {
        *("rows.jsonl", "rows.yaml", "mine.yaml", "calls", "checkpoints/mine/trained-2/fit/last.ckpt"),
        *(f"{logs}/results.json", f"{logs}/run.json", f"{logs}/log.txt", f"{fit}/run.json", f"{fit}/log.txt"),
        "logs/mine/experiment.json",
    }
    record = read_record(folder / logs)
    assert record is not None
    assert (record.state, record.system, record.axes) == ("done", "trained", {"system": "trained", "seed": 2})
    assert record.seconds > 0
    assert begun < record.began < time.time() - record.seconds
    assert (folder / logs / "log.txt").read_text().startswith("$ compret test --seed_everything=2 --ckpt_path=")
    about = json.loads((folder / "logs/mine/experiment.json").read_text())
    assert about["report"] == {"baseline": "untouched"}
    assert about["runs"]["untouched-3"] == {"system": "untouched", "axes": {"system": "untouched", "seed": 3}}


def test_a_dry_run_tells_the_commands_and_runs_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert experiment("--dry-run", "--only", "system=trained", "seed=3") == 0
    said = capsys.readouterr().out
    assert "2 missing" in said
    assert "compret fit --config rows.yaml --seed_everything=3 --trainer.max_steps=10 --name=mine/trained-3" in said
    assert not (folder / "calls").exists()
    assert not (folder / "logs").exists()


@pytest.mark.parametrize(
    ("change", "anew", "why"),
    [
        (lambda folder: (folder / "rows.jsonl").write_text('{"anchor": "a", "positive": "c"}\n'), 4, "data"),
        (lambda folder: (folder / "rows.yaml").write_text("data: {files: [rows.jsonl], batch_size: 2}"), 4, "config"),
        (lambda folder: (folder / "rows.yaml").write_text("# said\ndata: {files: [rows.jsonl]}"), 0, ""),
    ],
    ids=["data", "config", "a comment"],
)
def test_what_has_changed_is_run_anew_with_what_builds_on_it(
    folder: Path, capsys: pytest.CaptureFixture[str], change: Callable[[Path], object], anew: int, why: str
) -> None:
    experiment()
    change(folder)
    capsys.readouterr()
    assert experiment() == 0
    assert said_since(folder, PARTS) == PARTS[2 : 2 + anew]
    said = capsys.readouterr().out
    assert said.count("anew: another") == anew
    assert not anew or f"trained-2 fit: begins, anew: another {why}; what was there is now in " in said
    aside = [*folder.glob("logs/mine.stale/*/version_0/results.json")]
    assert len(aside) == anew // 2
    assert len([*folder.glob("checkpoints/mine.stale/*/fit/last.ckpt")]) == anew // 2


def test_another_code_is_another_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment()
    monkeypatch.setattr("compret.experiment.parts.code_key", lambda: "other")
    assert experiment("--reuse") == 0
    assert said_since(folder, PARTS) == []
    assert experiment("--only", "untouched-*") == 0
    assert said_since(folder, PARTS) == PARTS[:2]


def test_a_value_that_is_set_is_part_of_the_key(folder: Path) -> None:
    experiment()
    assert experiment("--set", "steps=11") == 0
    assert said_since(folder, PARTS) == PARTS[2:]


def test_a_failed_run_is_told_and_run_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "fail-trained-2-fit").touch()
    assert experiment() == 1
    said = capsys.readouterr().out
    assert "trained-2 fit failed: logs/mine/trained-2/fit/log.txt" in said
    assert "  line 19\n  what went wrong\n" in said
    assert "  line 9\n" not in said
    assert "4 done, 1 failed, 1 missing" in said
    assert calls(folder) == [part for part in PARTS if part != "test trained-2"]
    (folder / "fail-trained-2-fit").unlink()
    assert experiment() == 0
    assert said_since(folder, PARTS[1:]) == PARTS[2:4]


def test_a_test_without_results_has_failed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "silent-untouched-2").touch()
    assert experiment("--only", "untouched-2") == 1
    assert "no results.json was written" in capsys.readouterr().out


@pytest.mark.parametrize("torn", ["", "{", '{"state": "done"}', "[]"])
def test_a_record_that_is_not_whole_counts_for_nothing(folder: Path, torn: str) -> None:
    experiment("--only", "untouched-2")
    (folder / "logs/mine/untouched-2/version_0/run.json").write_text(torn)
    assert experiment("--only", "untouched-2") == 0
    assert calls(folder) == PARTS[:1] * 2


def test_jobs_run_side_by_side(folder: Path) -> None:
    (folder / "slow").touch()
    run = start([sys.executable, "-c", PROCESS, "--jobs", "3"], cwd=folder)
    try:
        assert wait_until(lambda: len(calls(folder)) == 3, run)
        assert calls(folder, "ends") == []
        assert sorted(calls(folder)) == sorted([*PARTS[:2], "fit trained-2"])
    finally:
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=30)


PROCESS = f"""
import sys
import compret.experiment.command as command
command.main.__defaults__ = ({FAKE!r},)
from compret.__main__ import main
sys.argv[1:] = ["experiment", "mine.yaml", *sys.argv[1:]]
sys.exit(main())
"""
"""The command line as a process, with the fake in place of what it starts."""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_children_and_says_what_is_left(folder: Path, number: int, code: int) -> None:
    (folder / "slow").touch()
    run = start([sys.executable, "-c", PROCESS, "--only", "trained-2"], cwd=folder, stdout=-1)
    last = folder / "checkpoints/mine/trained-2/fit/last.ckpt"
    assert wait_until(last.exists, run)
    below = children(run.pid)
    run.send_signal(number)
    said, _ = run.communicate(timeout=30)
    assert run.returncode == code
    assert "mine: 2 missing; the same command goes on" in said
    assert len(below) >= 2
    assert not any(map(is_running, below))
    step = int(last.read_text())
    (folder / "slow").unlink()
    assert experiment("--only", "trained-2") == 0
    assert f"fit trained-2 begins at {step}\n" in (folder / "calls").read_text()
    assert numbers(folder)["trained-2"] == WHOLE["trained-2"]


def test_a_second_one_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "slow").touch()
    run = start([sys.executable, "-c", PROCESS], cwd=folder)
    assert wait_until((folder / "calls").exists, run)
    with pytest.raises(UserError, match="another compret experiment works there"):
        experiment()
    assert experiment("--dry-run") == 0
    assert "5 missing" in capsys.readouterr().out
    run.terminate()
    run.communicate(timeout=30)


def test_ten_kills_at_random_moments_repeat_nothing_that_was_done(folder: Path) -> None:
    """SIGKILL to the experiment alone, or to all that it started too."""
    draw, done, counts = random.Random(19), set[str](), dict[str, int]()
    for turn in range(10):
        run = start([sys.executable, "-c", PROCESS, "--jobs", "2"], cwd=folder)
        begun = len(calls(folder))
        wait_until(lambda begun=begun: len(calls(folder)) > begun, run, 5)
        time.sleep(draw.uniform(0, 0.15))
        for pid in [*(children(run.pid) if turn % 2 else ()), run.pid]:
            with suppress(ProcessLookupError):  # it may have ended meanwhile
                os.kill(pid, signal.SIGKILL)
        run.communicate()
        for part in done:
            assert calls(folder).count(part) == counts[part], f"{part} was done, and is repeated"
        done = {part for part in PARTS if is_done(folder, part)}
        counts = {part: calls(folder).count(part) for part in done}
    finish(start([sys.executable, "-c", PROCESS], cwd=folder))
    assert numbers(folder) == WHOLE
    assert all(calls(folder).count(part) == counts[part] for part in done)
    assert len(calls(folder)) > len(PARTS)


@pytest.mark.parametrize("all_of_them", [False, True])
def test_a_killed_fit_goes_on_from_its_checkpoint(folder: Path, all_of_them: bool) -> None:
    """SIGKILL to the experiment alone, or to all that it started too, at a moment when there is a checkpoint."""
    (folder / "slow").touch()
    run = start([sys.executable, "-c", PROCESS, "--only", "trained-2"], cwd=folder)
    last = folder / "checkpoints/mine/trained-2/fit/last.ckpt"
    assert wait_until(last.exists, run)
    below = children(run.pid)
    for pid in [*(below if all_of_them else ()), run.pid]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    run.communicate()
    assert wait_until(lambda: not any(map(is_running, below)))
    step = int(last.read_text())
    (folder / "slow").unlink()
    assert experiment("--only", "trained-2") == 0
    assert step > 0
    assert f"fit trained-2 begins at {step}\n" in (folder / "calls").read_text()
    assert numbers(folder)["trained-2"] == WHOLE["trained-2"]


def is_done(root: Path, part: str) -> bool:
    command, run = part.split()
    record = read_record(root / "logs" / "mine" / run / {"fit": "fit", "test": "version_0"}[command])
    return record is not None and record.state == "done"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["none.yaml"], "compret: none.yaml: no such file"),
        (["mine.yaml", "--only", "sed=2"], "--only sed=...: no such axis; there are system, seed"),
        (["mine.yaml", "--only", "trained-4"], "--only trained-4: no such run; there are untouched-2"),
        (["mine.yaml", "--only", "seed=2", "*-3"], "--only seed=2 *-3: no run fits"),
        (["mine.yaml", "--set", "steps"], "--set steps: NAME=VALUE"),
        (["mine.yaml", "--set", "step=2"], "--set step: no such value; did you mean steps?"),
        (["mine.yaml", "--jobs", "0"], "0: a number of runs from 1"),
        (["mine.yaml", "--executor", "pbs"], "--executor: invalid choice: 'pbs'"),
        (["gone.yaml"], "run 'x': test: --config nowhere.yaml: no such file"),
        (
            ["wrong.yaml"],
            "run 'x': test: --model.backbon: no such option of DualEncoder; did you mean --model.backbone?",
        ),
        (["file.yaml"], "run 'x': test: none.jsonl: no such file"),
        (["list.yaml"], "list.yaml: holds a list"),
    ],
)
def test_a_mistake_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str) -> None:
    tests = {"gone": {"config": "nowhere.yaml"}, "wrong": {"model.backbon": "x"}}
    tests["file"] = {"data": "NearMissPairs", "data.files": ["none.jsonl"]}
    for name, test in tests.items():
        content = {"name": "mine", "matrix": {"axes": {"a": ["x"]}, "test": test}}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    (folder / "list.yaml").write_text("[1]")
    assert compret_main(["experiment", *words]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1
    assert not (folder / "logs").exists()
