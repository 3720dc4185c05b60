"""`compret report`: one line a run from results.json files, with the difference to the first."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compret.types import UserError

COLUMNS = {"retrieval nDCG@10": ("retrieval", "ndcg@10"), "near-miss AUROC": ("nearmiss", "auroc")}


@dataclass(frozen=True)
class Run:
    """The headline numbers of one results.json: means over its datasets, null where it has none."""

    name: str
    values: tuple[float | None, ...]


def main(arguments: Sequence[str]) -> int:
    """Print a Markdown table of runs given as `NAME=PATH` or `PATH` (a results.json, or its folder)."""
    parser = argparse.ArgumentParser(prog="compret report", description=main.__doc__)
    parser.add_argument("runs", nargs="+", metavar="[NAME=]PATH")
    runs = [read_run(text) for text in parser.parse_args(arguments).runs]
    sys.stdout.write(table(runs))
    return 0


def read_run(text: str) -> Run:
    """Read one run's headline numbers.

    Raises:
        UserError: no results.json there, or it is not one of compret's.
    """
    name, _, given = text.rpartition("=")
    path = Path(given) / "results.json" if Path(given).is_dir() else Path(given)
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        values = tuple(_mean(results[room], key) for room, key in COLUMNS.values())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give a results.json or its folder") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not a results.json of compret ({error!r})") from error
    return Run(name or path.parent.name, values)


def table(runs: Sequence[Run]) -> str:
    """Markdown: a line a run; differences are to the first run."""
    cells = [["", *(f"{column} | difference" for column in COLUMNS)]]
    for run in runs:
        pairs = zip(run.values, runs[0].values, strict=True)
        cells.append([run.name, *(f"{_text(v)} | {_difference(v, first, run is runs[0])}" for v, first in pairs)])
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    return "\n".join([lines[0], "|---" * (1 + 2 * len(COLUMNS)) + "|", *lines[1:]]) + "\n"


def _mean(room: dict[str, Any], key: str) -> float | None:
    """The room's own mean, or that of its sets' defined values."""
    if "mean" in room:
        value = room["mean"].get(key)
        return None if value is None else float(value)
    values = [entry[key] for entry in room.values() if entry.get(key) is not None]
    return sum(values) / len(values) if values else None


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _difference(value: float | None, first: float | None, same: bool) -> str:
    return "" if same or value is None or first is None else f"{value - first:+.3f}"
