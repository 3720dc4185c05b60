"""Tables for people: drawn by rich on a terminal, plain columns in a file or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def show(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table to stdout; the first column is text, the others are numbers."""
    if sys.stdout.isatty():
        _draw(headings, rows)
    else:
        sys.stdout.write(plain(headings, rows))
        sys.stdout.flush()


def plain(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns between two blanks, with no lines and no codes, so that it can be read by grep and awk."""
    table = [list(headings), *map(list, rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(headings))]
    lines = (
        [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        for row in table
    )
    return "".join("  ".join(line).rstrip() + "\n" for line in lines)


def _draw(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left", overflow="fold", no_wrap=place > 0)
    for row in rows:
        table.add_row(*row, style=None if row[0].startswith(" ") else "bold")
    Console(file=sys.stdout, highlight=False, markup=False).print(table)
