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
    from compret.report.figures.style import save, svg
    from compret.report.page import Inline, Page

    wanted = [name for name in _FIGURES if name in formats]
    page = Page(folder.absolute().name, report) if "html" in formats else None
    for drawing in drawings(report) if wanted or page else ():
        with drawing.draw() as figure:
            if page:
                page.add(Inline(drawing.name, drawing.caption, svg(figure, file_name(drawing.name))))
            for name in wanted:
                path = folder / "figures" / f"{file_name(drawing.name)}.{name}"
                save(figure, path)
                yield path
    if page:
        with atomic_write(folder / "index.html") as file:
            file.write(page.render())
        yield folder / "index.html"


def file_name(name: str) -> str:
    """A name as a file's."""
    return re.sub(r"[^\w@.-]+", "_", name)
