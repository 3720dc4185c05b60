"""compret as processes: started beside the test, waited for, asked whether they and their ranks still run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

COMPRET = (sys.executable, "-m", "compret")
ON_CPU = ("--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false")
TWO_RANKS = ("--trainer.devices", "2", "--trainer.strategy", "ddp")
_STARTED: list[subprocess.Popen[str]] = []


def start(command: Sequence[object], **settings: Any) -> subprocess.Popen[str]:
    """A process in a session of its own, whose errors are read by `finish`; `env` is added to this process's."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **settings.pop("env", {})}
    pipes: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    run = subprocess.Popen([*map(str, command)], env=environment, start_new_session=True, **{**pipes, **settings})
    _STARTED.append(run)
    return run


def kill_all() -> None:
    """End what was started, and what that started; a test that fails in between would leave them to slow the others."""
    while _STARTED:
        with suppress(ProcessLookupError):
            os.killpg(_STARTED.pop().pid, signal.SIGKILL)


def finish(run: subprocess.Popen[str], timeout: float = 500) -> str:
    """What a process said that must end well."""
    _, said = run.communicate(timeout=timeout)
    assert run.returncode == 0, said[-3000:]
    return said


def run_here(command: Sequence[object]) -> None:
    """The same as a process that must end well, in this one: the seconds of its imports are not the point."""
    from compret.__main__ import main

    assert tuple(command[: len(COMPRET)]) == COMPRET
    assert main([*map(str, command[len(COMPRET) :])]) == 0


def outcome(command: Sequence[object], timeout: float = 500, **settings: Any) -> tuple[int, str]:
    """Exit code and all that was said."""
    run = start(command, **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **settings})
    said, _ = run.communicate(timeout=timeout)
    return run.returncode, said


def wait_until(condition: Callable[[], object], run: subprocess.Popen[str] | None = None, seconds: float = 180) -> bool:
    """Whether something came true, before that time was over and before the process ended."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until or (run is not None and run.poll() is not None):
            return bool(condition())
        time.sleep(0.005)
    return True


def step_of(checkpoint: Path) -> int:
    """The step that a checkpoint is of; -1 where there is none."""
    import torch

    return int(torch.load(checkpoint, weights_only=True)["global_step"]) if checkpoint.exists() else -1


def children(pid: int) -> list[int]:
    """Processes below one, on Linux."""
    found = []
    with suppress(OSError):  # gone meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *children(child)]
    return found


def is_running(pid: int) -> bool:
    """Neither gone nor a zombie, which waits for its parent alone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def is_rank(pid: int, rank: int) -> bool:
    return f"LOCAL_RANK={rank}\0" in Path(f"/proc/{pid}/environ").read_text() + "\0"
