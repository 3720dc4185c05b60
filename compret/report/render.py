"""A table as Markdown, LaTeX (booktabs), CSV or HTML."""

from __future__ import annotations

import csv
import io
import re
from functools import cache
from typing import TYPE_CHECKING

from compret.report.cells import Cell, Table

if TYPE_CHECKING:
    from jinja2 import Environment

_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "Δ": r"$\Delta$",
}
_TEX |= {letter: f"\\{letter}" for letter in "&%$#_{}"}
_TEX |= {"→": r"$\rightarrow$", "−": r"$-$", "<": r"$<$", ">": r"$>$", "×": r"$\times$"}


def markdown(table: Table) -> str:
    """A GitHub table with its caption above and notes below."""
    rows = [[*map(_cell_of_markdown, table.headings)], *([_bold(cell) for cell in row] for row in table.rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.headings))]
    lines = [f"| {' | '.join(cell.ljust(w) for cell, w in zip(row, widths, strict=True))} |" for row in rows]
    sides = ["-" * (w + 2) if i < table.texts else "-" * (w + 1) + ":" for i, w in enumerate(widths)]
    above, below = [table.caption, ""], ["", *table.notes] if table.notes else []
    return "\n".join([*above, lines[0], f"|{'|'.join(sides)}|", *lines[1:], *below]) + "\n"


def tex(table: Table) -> str:
    """A LaTeX table for the package booktabs."""
    return environment().get_template("table.tex.jinja").render(table=table)


def html(table: Table) -> str:
    """A figure that holds a table; all texts are escaped."""
    return environment().get_template("table.html.jinja").render(table=table)


def comma_separated(table: Table) -> str:
    """CSV with numbers in full; a column with deviations is followed by one of them."""
    spread = [any(row[i].std is not None for row in table.rows) for i in range(len(table.headings))]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(
        text for h, s in zip(table.headings, spread, strict=True) for text in ([h, f"{h} std"] if s else [h])
    )
    for row in table.rows:
        writer.writerow(text for cell, s in zip(row, spread, strict=True) for text in _numbers(cell, s))
    return file.getvalue()


FORMATS = {"md": markdown, "tex": tex, "csv": comma_separated}
"""Those that have a file for each table."""


@cache
def environment() -> Environment:
    """Templates of the package; what goes into HTML is escaped."""
    from jinja2 import Environment, PackageLoader

    made = Environment(
        loader=PackageLoader("compret.report"),
        autoescape=lambda name: bool(name and ".html" in name),
        trim_blocks=False,
        keep_trailing_newline=True,
    )
    made.filters |= {"tex": _escaped_tex, "label": _label}
    return made


def _escaped_tex(text: str) -> str:
    return "".join(_TEX.get(letter, letter) for letter in text)


def _label(text: str) -> str:
    return re.sub(r"\W+", "-", text).strip("-")


def _cell_of_markdown(text: str) -> str:
    return re.sub(r"([|\\`*<])", r"\\\1", text.replace("\n", " "))


def _bold(cell: Cell) -> str:
    shown = _cell_of_markdown(cell.shown)
    return f"**{shown}**" if cell.bold else shown


def _numbers(cell: Cell, with_std: bool) -> list[str]:
    value = (cell.text.strip() if cell.value is None else f"{cell.value:.6g}") + cell.mark
    return [value, "" if cell.std is None else f"{cell.std:.6g}"] if with_std else [value]
