"""How long a report of very many runs takes."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

log = logging.getLogger(__name__)

pytestmark = pytest.mark.benchmark


def test_five_hundred_runs_are_reported_in_seconds(tmp_path: Path) -> None:
    """125 systems of four seeds, two retrieval sets of 50 queries and 100 pairs each."""
    spec = spec_from_file_location("made", Path(__file__).parents[1] / "report" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    for system in range(125):
        for seed in range(42, 46):
            folder = tmp_path / "logs" / f"s{system}-{seed}"
            module.make_run(folder, 0.3 + system / 500, seed=seed, queries=50, pairs=100)
    start = time.perf_counter()
    command = [sys.executable, "-m", "compret", "report", "logs", "--out", "out", "--format", "md,csv"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    log.warning("500 runs: %.2f s", seconds)
    assert done.returncode == 0, done.stderr
    assert seconds < 5
