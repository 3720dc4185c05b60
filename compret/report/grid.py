"""Systems x columns of one metric: values, differences to the references, and which of them the test believes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from compret.metrics.stats import holm
from compret.report.cells import Cell, Table, texts
from compret.report.collect import System
from compret.report.evidence import Contrast, Evidence, Value
from compret.report.measures import Style, title
from compret.report.targets import Target

ALPHA = 0.05
Reference: TypeAlias = Callable[[System], System]
"""What a system is compared with; itself for a reference."""


@dataclass(frozen=True)
class Column:
    """A set, or the mean over several."""

    name: str
    targets: tuple[Target, ...]


@dataclass(frozen=True)
class Place:
    """One number and its difference to the reference's."""

    value: Value | None
    reference: Value | None
    contrast: Contrast | None
    """None for the reference itself."""
    p: float | None
    """After Holm over the grid."""
    mark: str = ""

    @property
    def significant(self) -> bool:
        return self.p is not None and self.p < ALPHA

    @property
    def better(self) -> bool:
        return self.significant and self.contrast is not None and self.contrast.difference > 0


@dataclass(frozen=True)
class Grid:
    """All of them, for one metric."""

    metric: str
    columns: tuple[Column, ...]
    systems: tuple[System, ...]
    reference: Reference
    places: Mapping[tuple[str, str], Place]
    """System's and column's name -> number."""
    style: Style
    notes: tuple[str, ...]
    """What is not comparable."""

    def values(self, system: System) -> list[Cell]:
        return [self.value(system, column) for column in self.columns]

    def value(self, system: System, column: Column) -> Cell:
        place = self.places[system.name, column.name]
        return Cell(text="*") if place.mark else self.style.cell(place.value, place.better)

    def differences(self, system: System) -> list[Cell]:
        return [self.difference(system, column) for column in self.columns]

    def difference(self, system: System, column: Column) -> Cell:
        place = self.places[system.name, column.name]
        return self.style.difference(place.value, place.reference, place.significant)

    def tests(self) -> Iterator[tuple[Cell, ...]]:
        """Rows of `tests_table`."""
        for system in self.systems:
            for column in self.columns:
                place = self.places[system.name, column.name]
                if place.contrast is not None:
                    c = place.contrast
                    names = texts(title(self.metric), system.name, self.reference(system).name, column.name)
                    numbers = (Cell(value=c.first), Cell(value=c.second), Cell(value=c.difference, signed=True))
                    interval = (Cell(value=c.low, signed=True), Cell(value=c.high, signed=True))
                    p_values = (Cell(value=c.p, digits=4), Cell(value=place.p, digits=4, bold=place.significant))
                    yield (*names, *numbers, *interval, *p_values)


def columns(targets: Sequence[Target], mean: str = "Mean") -> tuple[Column, ...]:
    """A column for each set, and where there are several, one of their mean."""
    each = [Column(target.category or target.name, (target,)) for target in targets]
    return (*each, Column(mean, tuple(targets))) if len(each) > 1 and mean else tuple(each)


def grid(
    evidence: Evidence,
    metric: str,
    across: Sequence[Column],
    systems: Sequence[System],
    reference: Reference,
    style: Style,
) -> Grid:
    """Measure all systems on all columns; p-values are corrected over the whole of it."""
    pairs = [(system, reference(system)) for system in systems if reference(system) is not system]
    found = {
        (a.name, column.name): contrast
        for column in across
        for (a, _), contrast in zip(pairs, evidence.contrasts(column.targets, metric, pairs), strict=True)
    }
    tested = {key: c.p for key, c in found.items() if c is not None and c.p is not None}
    corrected = dict(zip(tested, holm([*tested.values()]), strict=True))
    places, notes = {}, []
    for system in systems:
        for column in across:
            key = system.name, column.name
            value, beside = (evidence.value(s, column.targets, metric) for s in (system, reference(system)))
            differs = None if value else _not_comparable(evidence, system, column)
            notes += [f"* {system.name}, {column.name}: not comparable: {differs}"] if differs else []
            places[key] = Place(value, beside, found.get(key), corrected.get(key), "*" if differs else "")
    return Grid(metric, tuple(across), tuple(systems), reference, places, style, tuple(dict.fromkeys(notes)))


def _not_comparable(evidence: Evidence, system: System, column: Column) -> str | None:
    """Under what else a system was measured on a set; None if it was not, or for means."""
    others = evidence.others(system, column.targets[0]) if len(column.targets) == 1 else []
    return others[0].differences(column.targets[0]) if others else None


def tests_table(name: str, caption: str, rows: Sequence[tuple[Cell, ...]]) -> Table:
    """Every difference with its 95 % interval and p-value, before and after Holm's correction."""
    numbers = ("value", "reference's", "difference", "low", "high", "p", "p (Holm)")
    note = "low, high: 95 % interval over queries or groups of pairs, and over seeds where there are several."
    return Table(name, caption, ("metric", "system", "reference", "set", *numbers), tuple(rows), 4, (note,))
