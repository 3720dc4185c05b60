"""Files are whole or not there, and what killed processes have left goes when the file is next written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from compret.atomic import atomic_write

KILLED = """
import os, signal, sys
from pathlib import Path
from compret.atomic import atomic_write
with atomic_write(Path(sys.argv[1])) as file:
    file.write("half")
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_left_goes_with_the_next_writing(tmp_path: Path) -> None:
    path = tmp_path / "last[1].ckpt"
    path.write_text("before")
    killed = subprocess.Popen([sys.executable, "-c", KILLED, str(path)])
    assert killed.wait(timeout=60) == -signal.SIGKILL
    left = tmp_path / f".{path.name}.{killed.pid}.tmp"
    assert left.read_text() == "half"
    others = [tmp_path / name for name in (f".{path.name}.{os.getppid()}.tmp", f".other.{killed.pid}.tmp", ".x.tmp")]
    for other in others:
        other.touch()
    with atomic_write(path) as file:
        file.write("after")
    assert path.read_text() == "after"
    assert set(tmp_path.iterdir()) == {path, *others}, "those of running processes and of other files stay"


def test_a_failed_writing_leaves_what_was_before(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text("before")
    with pytest.raises(TypeError), atomic_write(path) as file:
        json.dump({"half": object()}, file)
    assert (path.read_text(), list(tmp_path.iterdir())) == ("before", [path])
