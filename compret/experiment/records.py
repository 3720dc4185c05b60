"""run.json, one a run's folder: what was run there, what its numbers follow from, and how far it came."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from compret.atomic import atomic_write
from compret.files import Settings
from compret.types import UserError

FILE, LOG = "run.json", "log.txt"
_LOCK = ".lock"
Ended = Literal["running", "done", "failed"]


@dataclass(frozen=True)
class Record:
    """What run.json holds. Only a command that ended well is `done`; `running` may also have been killed."""

    state: Ended
    experiment: str
    run: str
    system: str
    axes: Mapping[str, Any]
    command: tuple[str, ...]
    key: Mapping[str, str]
    began: float
    """Seconds since 1970."""
    seconds: float = 0.0
    exit: int | None = None


def read_record(folder: Path) -> Record | None:
    """A folder's record; None where there is none that can be read, so that the run counts as missing."""
    path = folder / FILE
    with suppress(UserError):
        stored = Settings.of(path)
        if stored.content:
            command = stored.get("command", list, "a list")
            return Record(
                state=stored.text("state"),
                experiment=stored.text("experiment"),
                run=stored.text("run"),
                system=stored.text("system"),
                axes=stored.part("axes").content,
                command=tuple(map(str, command)),
                key=stored.part("key").content,
                began=stored.number("began"),
                seconds=stored.number("seconds", 0.0),
                exit=stored.content.get("exit"),
            )
    return None


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file that appears whole.

    Raises:
        UserError: it cannot be written.
    """
    with atomic_write(path) as file:
        file.write(json.dumps(content, indent=2) + "\n")


def write_record(folder: Path, record: Record) -> None:
    write_json(folder / FILE, asdict(record))


def is_locked(folder: Path) -> bool:
    """Whether a process works in a folder, also one that an earlier `compret experiment` started."""
    if not (folder / _LOCK).exists():
        return False
    with open(folder / _LOCK, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


@contextmanager
def locked(folder: Path, patience: float = 1.0) -> Iterator[int]:
    """Hold a folder for this process and for those that it gives the file's number to; the system frees it.

    Args:
        patience: seconds to wait for whoever holds it; one that asks `is_locked` does so for a moment.

    Raises:
        UserError: another one holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open(folder / _LOCK, "ab")  # noqa: SIM115  held within the block
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); give another --root") from error
    with file:
        if not _take(file.fileno(), time.monotonic() + patience):
            raise UserError(f"{folder}: another compret experiment works there; wait for it or end it")
        yield file.fileno()


def _take(file: int, until: float) -> bool:
    while True:
        with suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
