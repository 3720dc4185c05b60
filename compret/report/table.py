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
    """The headline numbers of a run, one for each of COLUMNS: means over its datasets, None where it has none."""

    name: str
    values: tuple[float | None, ...]


def main(arguments: Sequence[str]) -> int:
    """Print a Markdown table of runs, each a results.json or its folder; several of one run are joined by commas."""
    parser = argparse.ArgumentParser(prog="compret report", description=main.__doc__)
    parser.add_argument("runs", nargs="+", metavar="[NAME=]PATH[,PATH]")
    parser.add_argument("--figure", type=Path, help="also draw the runs into this .png, .svg or .pdf")
    options = parser.parse_args(arguments)
    runs = [read_run(text) for text in options.runs]
    sys.stdout.write(table(runs))
    if options.figure:
        from compret.report.figure import draw

        draw(runs, options.figure)
    return 0


def read_run(text: str) -> Run:
    """Read one run's headline numbers from `NAME=PATH,PATH`; the name is the folder's if none is given.

    Raises:
        UserError: no results.json there, or it is not one of compret's.
    """
    name, _, given = text.rpartition("=")
    paths = [Path(part) for part in given.split(",")]
    stored = [_read(path / "results.json" if path.is_dir() else path) for path in paths]
    values = tuple(_mean([entry for results in stored for entry in _entries(results, *c)]) for c in COLUMNS.values())
    return Run(name or paths[0].name, values)


def table(runs: Sequence[Run]) -> str:
    """Markdown: a line a run; differences are to the first run."""
    rows = [["", *(title for column in COLUMNS for title in (column, "difference"))]]
    for run in runs:
        pairs = zip(run.values, runs[0].values, strict=True)
        numbers = (text for value, first in pairs for text in _texts(value, None if run is runs[0] else first))
        rows.append([run.name, *numbers])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]]) + "\n"


def _read(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {room: dict(stored[room]) for room, _ in COLUMNS.values()}
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give a results.json or its folder") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a results.json of compret ({error!r})") from error


def _entries(results: dict[str, Any], room: str, key: str) -> list[float]:
    """The defined values of a room's datasets."""
    found = (entry.get(key) for name, entry in results[room].items() if name != "mean")
    return [float(value) for value in found if value is not None]


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _texts(value: float | None, first: float | None) -> tuple[str, str]:
    """A value and its difference to the first run's, as cells."""
    if value is None:
        return "-", ""
    return f"{value:.3f}", "" if first is None else f"{value - first:+.3f}"
