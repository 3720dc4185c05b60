"""Where parts run: as processes of this machine, which end with this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Protocol, cast

from compret.experiment.records import is_locked, read_record
from compret.experiment.work import Job, as_text

_GPUS = Path("/proc/driver/nvidia/gpus")


class Running(Protocol):
    """A part that was started; how it ended stands on disk."""

    lives_on: bool
    """When this process ends."""

    def is_over(self) -> bool: ...

    def end(self) -> None:
        """Tell it to save and end."""

    def kill(self) -> None: ...


class Executor(Protocol):
    """Starts parts."""

    at_once: int
    """How many run at a time."""

    def start(self, job: Job) -> Running: ...

    def left_running(self, folder: Path) -> Running | None:
        """What an earlier `compret experiment` started and is still at work."""


class Local:
    """Processes of this machine, so many at a time; they share its cores and, where there are several, its GPUs.

    Args:
        jobs: how many run at a time.
    """

    def __init__(self, jobs: int = 1) -> None:
        self.at_once = jobs
        self.places: list[Process | None] = [None] * jobs

    def start(self, job: Job) -> Running:
        place = next(i for i, process in enumerate(self.places) if process is None or process.is_over())
        share = _share(place, self.at_once) if self.at_once > 1 else {}
        environment = {**share, **(job.environment or {})}
        started = Process(replace(job, environment=environment, parent=os.getpid()))
        self.places[place] = started
        return started

    def left_running(self, folder: Path) -> Running | None:
        record = read_record(folder)
        return Left(folder) if record and record.state == "running" and is_locked(folder.parent) else None


class Process:
    """A process that runs one job."""

    lives_on = False

    def __init__(self, job: Job) -> None:
        command = [sys.executable, "-m", "compret.experiment.work"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, text=True)
        with suppress(BrokenPipeError), cast(IO[str], self.process.stdin) as to:
            to.write(as_text(job) + "\n")

    def is_over(self) -> bool:
        return self.process.poll() is not None

    def end(self) -> None:
        self.process.terminate()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)


class Left:
    """What an earlier `compret experiment` left at work on this machine: it was told to end when that one was gone."""

    lives_on = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def is_over(self) -> bool:
        return not is_locked(self.folder.parent)

    def end(self) -> None:
        """Nothing: it is told already."""

    kill = end


def _share(place: int, of: int) -> Mapping[str, str]:
    """What one of several processes may take of this machine, where the user has not said it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(max(1, cores // of))}
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = seen.split(",") if seen else [str(i) for i in range(len([*_GPUS.glob("*")]))]
    return {**share, **({"CUDA_VISIBLE_DEVICES": gpus[place % len(gpus)]} if len(gpus) > 1 else {})}
