"""The short report: one line a run from results.json files, with the difference to the first."""

from __future__ import annotations

from collections.abc import Sequence

from compret.report.compare import differences, query_interval
from compret.report.runs import Run, titles
from compret.types import UserError

_INTERVALS = "[low, high]: 95 % interval of the mean difference over queries, by bootstrap"


def table(runs: Sequence[Run]) -> str:
    """Markdown: a line a run; differences are to the first run.

    A number that was measured on other sets, or in another way, than the first of its column is marked by a star, and
    what differs is told below the table.
    """
    notes, columns = [note for run in runs for note in run.notes], titles(runs)
    rows = [["", *(heading for title in columns for heading in (title, "difference"))]]
    for run in runs:
        cells = (text for title in columns for text in _cells(runs, run, title, notes))
        rows.append([run.name.replace("|", "\\|"), *cells])
    if any("[" in cell for row in rows for cell in row[1:]):
        notes.append(_INTERVALS)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    below = ["", *dict.fromkeys(notes)] if notes else []
    return "\n".join([lines[0], rule, *lines[1:], *below]) + "\n"


def reference(runs: Sequence[Run], title: str) -> Run:
    """The run that the others of a column are compared with: the first that has a number there, or the first."""
    return next((run for run in runs if run.columns.get(title)), runs[0])


def _cells(runs: Sequence[Run], run: Run, title: str, notes: list[str]) -> tuple[str, str]:
    """A value and its difference to the first run's, as cells; what forbids to compare them goes to the notes."""
    value, first = run.values.get(title), runs[0].values.get(title)
    if value is None:
        return "-", ""
    beside = reference(runs, title)
    differs = differences(run.columns[title], beside.columns[title])
    if differs:
        notes.append(f"* {run.name}, {title}: {'; '.join(differs)}; {beside.name} is the other")
        return f"{value:.3f}*", ""
    if run is runs[0] or first is None:
        return f"{value:.3f}", ""
    return f"{value:.3f}", f"{value - first:+.3f}{_interval(run, runs[0], title, notes)}"


def _interval(run: Run, first: Run, title: str, notes: list[str]) -> str:
    """The interval of a difference behind a blank; none where there are no values by query."""
    try:
        found = query_interval(run.columns[title], first.columns[title])
    except UserError as error:
        notes.append(f"{run.name}: no interval ({error})")
        return ""
    return f" [{found[0]:+.3f}, {found[1]:+.3f}]" if found else ""
