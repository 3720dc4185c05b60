"""`compret --help` answers before anything heavy is imported."""

from __future__ import annotations

import logging
import subprocess
import sys
import time

import pytest

log = logging.getLogger(__name__)

pytestmark = pytest.mark.benchmark


def test_help_is_quick() -> None:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "compret", "--help"], capture_output=True, check=True)
        times.append(time.perf_counter() - start)
    log.warning("compret --help: %.2f s", min(times))
    assert min(times) < 1.5
