"""One command of a run as a process, which alone writes that the run is done; SLURM runs the same function."""

from __future__ import annotations

import ctypes
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

from compret.experiment.records import LOG, Record, locked, write_record
from compret.folders import VERSION
from compret.types import UserError

_PR_SET_PDEATHSIG = 1
_TOLD = (128 + signal.SIGINT, 128 + signal.SIGTERM)
"""Exit codes of a compret that was told to end."""

_PATIENCE = 60.0
"""Seconds to wait for what an earlier start left in the folder, which is about to end."""


@dataclass(frozen=True)
class Job:
    """What a process needs to run one command."""

    folder: str
    """logs/EXPERIMENT/RUN/VERSION."""
    record: Record
    """As it is written when the command begins."""
    program: tuple[str, ...]
    """What stands before the command's own words."""
    resumes: bool = False
    """From a checkpoint: what stands in the folder is gone on with."""
    writes: str | None = None
    """The file that the command must have written into the folder when it ends well."""
    environment: Mapping[str, str] | None = None
    parent: int | None = None
    """The process with which this one ends; None if it lives on, as a job of SLURM does."""


def work(job: Job) -> None:
    """Run a job's command, its output in log.txt, and write how it ended.

    Raises:
        UserError: another process works in the folder.
    """
    folder = Path(job.folder)
    with locked(folder.parent, _PATIENCE) as lock:
        _clear(folder, job.resumes)
        record, begun = replace(job.record, began=time.time()), time.monotonic()
        write_record(folder, record)
        with (folder / LOG).open("ab") as log:
            code, is_told = _run(job, folder, log, lock)
            if code == 0 and job.writes and not (folder / job.writes).exists():
                log.write(f"compret experiment: no {job.writes} was written\n".encode())
                code = 1
        ended = replace(record, seconds=round(time.monotonic() - begun, 3), exit=code)
        if code == 0:
            write_record(folder, replace(ended, state="done"))
        elif not (is_told or code in _TOLD):
            write_record(folder, replace(ended, state="failed"))


def _clear(folder: Path, resumes: bool) -> None:
    """Make a folder ready for its command: empty, or with all that an earlier part of the same fit left."""
    if not resumes:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").unlink(missing_ok=True)  # written anew, which Lightning refuses where one is


def _run(job: Job, folder: Path, log: BinaryIO, lock: int) -> tuple[int, bool]:
    """The command's exit code, and whether this process was told to end meanwhile, which it hands on once."""
    told: list[int] = []
    process: subprocess.Popen[bytes] | None = None

    def hear(number: int, frame: FrameType | None) -> None:
        told.append(number)
        if process is not None and len(told) == 1:
            process.terminate()

    before = {number: signal.signal(number, hear) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        words = [*job.program, *job.record.command]
        log.write(f"$ {shlex.join(['compret', *job.record.command])}\n".encode(errors="backslashreplace"))
        log.flush()
        environment = {**os.environ, VERSION: folder.name, **(job.environment or {})}
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, pass_fds=[lock],
            start_new_session=True, preexec_fn=_end_with_parent,
        )  # fmt: skip
        if told:
            process.terminate()
        return process.wait(), bool(told)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end_with_parent() -> None:
    """Have the system tell this process to end when the thread that started it is gone, however it ended."""
    with suppress(AttributeError, OSError):  # Linux alone has it
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))


def as_text(job: Job) -> str:
    """A job as one line, for `main`."""
    return json.dumps(asdict(job))


def _of_text(text: str) -> Job:
    content: dict[str, Any] = json.loads(text)
    record = content.pop("record")
    record["command"] = tuple(record["command"])
    return Job(record=Record(**record), **{**content, "program": tuple(content["program"])})


def main() -> int:
    """Read a job from stdin and run it."""
    job = _of_text(sys.stdin.readline())
    if job.parent is not None:
        _end_with_parent()
        if os.getppid() != job.parent:
            return 1
    try:
        work(job)
    except UserError as error:
        sys.stderr.write(f"compret: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
