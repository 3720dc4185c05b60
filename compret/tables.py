"""Tables for people: drawn by rich on a terminal, plain columns in a file or a pipe."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence


def show(headings: Sequence[str], rows: Sequence[Sequence[str]], spare: Sequence[str] = (), texts: int = 1) -> None:
    """Write a table to stdout.

    Args:
        spare: headings of columns that a terminal too narrow for all goes without, the first of them first.
        texts: how many of the first columns are text; the others are numbers.
    """
    if sys.stdout.isatty():
        _draw(*fitting(headings, rows, spare, shutil.get_terminal_size().columns), texts)
    else:
        sys.stdout.write(plain(headings, rows, texts))
        sys.stdout.flush()


def plain(headings: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """Columns between two blanks, with no lines and no codes, so that it can be read by grep and awk."""
    table = [list(headings), *map(list, rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(headings))]
    lines = (
        [row[i].ljust(width) if i < texts else row[i].rjust(width) for i, width in enumerate(widths)] for row in table
    )
    return "".join("  ".join(line).rstrip() + "\n" for line in lines)


def fitting(
    headings: Sequence[str], rows: Sequence[Sequence[str]], spare: Sequence[str], width: int
) -> tuple[list[str], list[list[str]]]:
    """A table without as many of its spare columns as it is too wide by."""
    table = [list(headings), *map(list, rows)]
    for heading in spare:
        if heading in table[0] and max(map(len, plain(table[0], table[1:]).splitlines())) + 2 > width:
            place = table[0].index(heading)
            table = [[*row[:place], *row[place + 1 :]] for row in table]
    return table[0], table[1:]


def _draw(headings: Sequence[str], rows: Sequence[Sequence[str]], texts: int) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="left" if place < texts else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row, style=None if row[0].startswith(" ") else "bold")
    Console(file=sys.stdout, highlight=False, markup=False).print(table)
