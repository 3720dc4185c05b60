"""Rows that the tests of the tasks share."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def rows(triplets: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in triplets.read_text().splitlines()][:8]
    rows[3]["negative"] = None
    return rows
