"""The one model of a table that every format is made from: numbers stay numbers until they are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Cell:
    """A text, or a number with what is known of it."""

    text: str = ""
    """In place of a number."""
    value: float | None = None
    std: float | None = None
    """Over seeds."""
    signed: bool = False
    """Whether it is a difference, which shows its sign."""
    bold: bool = False
    """Whether the test says so; never because a number is the highest."""
    mark: str = ""
    """Behind the number, such as * for what is not comparable; a note of the table says what it means."""
    digits: int = 3

    @property
    def shown(self) -> str:
        """As people read it: 0.348 ± 0.012, or - for what is not there."""
        if self.value is None:
            return self.text or "-"
        sign = "+" if self.signed else ""
        spread = "" if self.std is None else f" ± {self.std:.{self.digits}f}"
        return f"{self.value:{sign}.{self.digits}f}{spread}{self.mark}"


EMPTY = Cell(text=" ")


@dataclass(frozen=True)
class Table:
    """Rows below headings."""

    name: str
    """A file's, without an end."""
    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    texts: int = 1
    """How many of the first columns are texts."""
    notes: tuple[str, ...] = ()
    is_short: bool = False
    """Whether it is shown where there is little room."""

    def __post_init__(self) -> None:
        if wrong := [len(row) for row in self.rows if len(row) != len(self.headings)]:
            raise ValueError(f"{self.name}: a row of {wrong[0]} cells below {len(self.headings)} headings")

    def transposed(self) -> Table:
        """With rows as columns; for tables with one column of texts."""
        columns = zip(*self.rows, strict=True)
        names = [cell.shown for cell in next(columns)]
        rows = tuple((Cell(h), *column) for h, column in zip(self.headings[1:], columns, strict=True))
        return replace(self, headings=(self.headings[0], *names), rows=rows)


def texts(*values: str) -> list[Cell]:
    """Cells of text alone."""
    return [Cell(text=value or " ") for value in values]


def joined(parts: Sequence[Sequence[Cell]]) -> tuple[Cell, ...]:
    """One row of parts of a row."""
    return tuple(cell for part in parts for cell in part)
