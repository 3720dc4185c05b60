"""A report's files: each table in each format, figures, the page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from compret.atomic import atomic_write
from compret.report.render import FORMATS
from compret.report.whole import Whole

_FIGURES = ("png", "pdf", "svg")


def write(report: Whole, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Write what was asked for; each file appears whole.

    Returns:
        The files, in order.

    Raises:
        UserError: one cannot be written.
    """
    return [*_tables(report, folder / "tables", formats), *_figures(report, folder, formats)]


def _tables(report: Whole, folder: Path, formats: Sequence[str]) -> Iterator[Path]:
    for name in formats:
        for table in report.tables if name in FORMATS else ():
            path = folder / f"{file_name(table.name)}.{name}"
            with atomic_write(path) as file:
                file.write(FORMATS[name](table))
            yield path


def _figures(report: Whole, folder: Path, formats: Sequence[str]) -> Iterator[Path]:
    """The figures as files, and inline in the page; each is drawn once."""
    from compret.report.figures.drawn import drawings
    from compret.report.figures.style import save

    wanted = [name for name in _FIGURES if name in formats]
    if not wanted:
        return
    for drawing in drawings(report):
        with drawing.draw() as figure:
            for name in wanted:
                path = folder / "figures" / f"{file_name(drawing.name)}.{name}"
                save(figure, path)
                yield path


def file_name(name: str) -> str:
    """A name as a file's."""
    return re.sub(r"[^\w@.-]+", "_", name)
