"""A report's files: each table in each format, figures, the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from compret.atomic import atomic_write
from compret.report.render import FORMATS
from compret.report.whole import Whole


def write(report: Whole, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Write what was asked for; each file appears whole.

    Returns:
        The files, in order.

    Raises:
        UserError: one cannot be written.
    """
    files = []
    for name in formats:
        for table in report.tables if name in FORMATS else ():
            path = folder / "tables" / f"{file_name(table.name)}.{name}"
            with atomic_write(path) as file:
                file.write(FORMATS[name](table))
            files.append(path)
    return files


def file_name(name: str) -> str:
    """A name as a file's."""
    return re.sub(r"[^\w@.-]+", "_", name)
