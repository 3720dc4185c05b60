"""What a user waits for: help, a mistake, and the first step on files of his own."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest

log = logging.getLogger(__name__)

pytestmark = pytest.mark.benchmark


def seconds(arguments: list[str], cwd: Path, code: int) -> float:
    """The shortest of three."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "compret", *arguments], cwd=cwd, capture_output=True, check=False)
        times.append(time.perf_counter() - start)
        assert done.returncode == code, done.stderr
    log.warning("compret %s: %.2f s", " ".join(arguments), min(times))
    return min(times)


@pytest.mark.parametrize("arguments", [["--help"], ["fit", "--help"], ["test", "--help", "data"]])
def test_help_is_quick(tmp_path: Path, arguments: list[str]) -> None:
    assert seconds(arguments, tmp_path, 0) < 1.5


@pytest.mark.parametrize(
    "arguments",
    ["fit --data.filez x", "fit --config none.yaml", "fit --data.files [none.jsonl]", "test --ckpt_path none.ckpt"],
)
def test_a_mistake_is_told_quickly(tmp_path: Path, arguments: str) -> None:
    assert seconds(arguments.split(), tmp_path, 2) < 1.5


def test_the_first_step_on_own_files_comes_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From Enter on, with no embedded data made before; the log file says when the first step is done."""
    monkeypatch.setenv("COMPRET_CACHE", str(tmp_path / "cache"))
    rows = [{"anchor": f"text {i}", "positive": f"that text {i}", "negative": f"no text {i}"} for i in range(2000)]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    fit = ["fit", "--config", "encoder_structneg.yaml", "--data.files", "[mine.jsonl]", "--trainer.max_steps", "1"]
    start = time.perf_counter()
    command, pipes = [sys.executable, "-m", "compret", *fit], {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=tmp_path, text=True, **pipes) as run:  # type: ignore[call-overload]
        assert run.stderr is not None
        told = next(time.perf_counter() - start for line in run.stderr if line.startswith("step 1 of 1"))
        run.stderr.read()
    log.warning("first step on own files: %.1f s", told)
    assert run.returncode == 0
    assert told < 20
    assert not (tmp_path / "cache").exists()
