"""SIGINT ends every run with 130 and SIGTERM with 143, whenever it comes; ranks do not outlive what started them."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from compret.__main__ import main
from compret.signals import LAUNCHER, Ending, ending
from tests.processes import ON_CPU, is_running, outcome, start, wait_until

MAIN = "import sys, time; import compret.__main__ as m; sys.stderr.write('main\\n'); sys.stderr.flush(); "
"""A process that says when its `main` begins: before that, Python itself answers signals."""
RUN = (sys.executable, "-c", MAIN + "sys.argv[0] = 'compret'; sys.exit(m.main())")


def ends_with(command: Sequence[object], number: int, after: float) -> tuple[int, str]:
    """Exit code of a process that is told to end so many seconds after the first line of its `main`."""
    run = start(command)
    assert run.stderr is not None
    assert run.stderr.readline() == "main\n"
    time.sleep(after)
    run.send_signal(number)
    _, said = run.communicate(timeout=180)
    return run.returncode, said


FORKED = """
import json, os, signal, sys, time
import compret.cli
from compret.__main__ import main

number, said, moments, *sys.argv[1:] = int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]), *sys.argv[4:]
codes = []
for moment in moments:
    if (child := os.fork()) == 0:
        sys.stderr = open(said, "a")
        sys.exit(main())
    time.sleep(moment)
    os.kill(child, number)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(codes))
"""
"""Fits that are told to end, each at its moment, by a process that has done the imports for all of them."""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_exit_code_is_one_rule(tiny: Path, triplets: Path, beir: Path, tmp_path: Path, number: int) -> None:
    """At ten moments of the start, of the training with a thread that makes batches, and of its many validations."""
    draw = random.Random(number)
    moments = [draw.uniform(0.05, 0.7) for _ in range(4)] + [draw.uniform(0.7, 1.6) for _ in range(6)]
    validation = json.dumps([{"class_path": "NanoBEIR", "init_args": {"source": str(beir), "datasets": ["park"]}}])
    fit = [
        *("fit", "--model.backbone", tiny, "--data.files", f"[{triplets}]", "--data.batch_size", 8, *ON_CPU),
        *("--data.validation", validation, "--trainer.val_check_interval", 2, "--trainer.max_epochs", -1),
        *("--trainer.max_steps", 10**6, "--trainer.default_root_dir", tmp_path),
    ]
    code, answer = outcome([sys.executable, "-c", FORKED, number, tmp_path / "said", json.dumps(moments), *fit])
    said = (tmp_path / "said").read_text()
    assert code == 0, answer
    assert json.loads(answer.splitlines()[-1]) == [128 + number] * len(moments), said
    assert "Traceback" not in said
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize(
    ("number", "code", "told"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "told to end")]
)
def test_a_signal_during_imports_ends_at_once(tmp_path: Path, number: int, code: int, told: str) -> None:
    for moment in (0.01, 0.1, 0.3, 0.7):
        assert ends_with([*RUN, "test", "--data.source", tmp_path], number, moment) == (code, f"compret: {told}\n")


def test_a_signal_after_the_work_is_too_late() -> None:
    """The handlers of a process that is about to end change nothing; those from before come back in any other."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        with ending.listening(is_last=True):
            pass
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with ending.listening(is_last=False):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_whatever_else_goes_wrong_on_the_way_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int, code: int
) -> None:
    """A connection that another rank has closed, a library that swallows the exception."""

    def broken(arguments: Sequence[str]) -> int:
        try:
            os.kill(os.getpid(), number)
        finally:
            raise RuntimeError("connection closed by peer")

    def swallowed(arguments: Sequence[str]) -> int:
        try:
            os.kill(os.getpid(), number)
        except SystemExit:
            return 0
        return 1

    for run in (broken, swallowed):
        monkeypatch.setattr("compret.__main__._runner", lambda run=run: run)
        assert main(["test"]) == code
    assert "Traceback" not in capsys.readouterr().err


def test_a_signal_within_a_finalizer_is_no_error_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python lets no exception out of one, and would write a traceback of the SystemExit that the handler raised."""
    told: list[type] = []
    monkeypatch.setattr(sys, "__unraisablehook__", lambda unraisable: told.append(unraisable.exc_type))
    ending = Ending()
    lost, other = (SimpleNamespace(exc_type=kind) for kind in (SystemExit, ValueError))
    ending._unless_ending(lost)
    ending.told = signal.SIGINT
    ending._unless_ending(lost)
    ending._unless_ending(other)
    assert told == [SystemExit, ValueError]


def test_a_noted_signal_waits_for_the_step_and_the_same_once_more_does_not() -> None:
    told = Ending()
    with told.listening(is_last=False):
        told.how = "note"
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)  # of a launcher that has heard of the first
        assert told.told == signal.SIGINT
        with pytest.raises(SystemExit) as ended:
            os.kill(os.getpid(), signal.SIGINT)
    assert ended.value.code == 130


def test_a_rank_that_was_started_ends_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lightning kills the first rank when another has ended with an error."""
    monkeypatch.setenv(LAUNCHER, "1")
    for rank, code in (("0", 143), ("1", 0)):
        monkeypatch.setenv("LOCAL_RANK", rank)
        told = Ending()
        told.told = signal.SIGTERM
        assert told.code == code


WAITING = "import time; from compret.signals import end_with_launcher as e; e(0.05); print(flush=True); time.sleep(60)"
LAUNCHING = f"""
import os, subprocess, sys, time
os.environ.update({LAUNCHER}=str(os.getpid()), LOCAL_RANK="1")
rank = subprocess.Popen([sys.executable, "-c", {WAITING!r}], stdout=subprocess.PIPE)
rank.stdout.readline()
print(rank.pid, flush=True)
time.sleep(60)
"""


def test_a_rank_ends_when_its_launcher_was_killed() -> None:
    launcher = start([sys.executable, "-c", LAUNCHING], stdout=subprocess.PIPE)
    assert launcher.stdout is not None
    rank = int(launcher.stdout.readline())
    assert is_running(rank)
    launcher.kill()
    launcher.communicate()
    assert wait_until(lambda: not is_running(rank), seconds=5)
