"""`compret report`: one line a run from results.json files, with the difference to the first."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from compret.report.runs import COLUMNS, Run, read_run


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


def _texts(value: float | None, first: float | None) -> tuple[str, str]:
    """A value and its difference to the first run's, as cells."""
    if value is None:
        return "-", ""
    return f"{value:.3f}", "" if first is None else f"{value - first:+.3f}"
