"""Encoders: retrieval by data set and mean, in the paper's three layouts, and the short and summary tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from compret.report.cells import EMPTY, Cell, Table, joined, texts
from compret.report.collect import System
from compret.report.evidence import RETRIEVAL_METRICS, Evidence
from compret.report.families import Family, is_encoder
from compret.report.grid import Grid, Reference, columns, grid, tests_table
from compret.report.measures import BY_THE_TEST, Style, title
from compret.report.targets import Target

LAYOUTS = ("combined", "per-backbone", "subcolumns")
_SHORT = ("ndcg@10", "accuracy@1")


def encoder_tables(
    evidence: Evidence, families: Sequence[Family], reference: Reference, style: Style, layout: str
) -> Iterator[Table]:
    """For each suite: a table a metric, the summary, the short one, and all tests."""
    systems = [system for family in families for system in family.systems if is_encoder(system)]
    for suite, targets in by_suite(evidence).items() if systems else ():
        grids = [grid(evidence, m, columns(targets), systems, reference, style) for m in RETRIEVAL_METRICS]
        for one in grids:
            caption = style.caption(f"{title(one.metric)} on {suite}")
            yield from _LAYOUTS[layout](f"encoder_{suite}_{one.metric}", caption, one, families)
        yield _summary(f"encoder_{suite}_summary", style.caption(f"{suite}, mean over sets"), grids, families)
        short = [one for one in grids if one.metric in _SHORT]
        yield from _short(f"encoder_{suite}_short", style.caption(f"{suite} in short"), short, families)
        if rows := [row for one in grids for row in one.tests()]:
            yield tests_table(f"encoder_{suite}_tests", f"{suite}: differences, intervals and tests", rows)


def by_suite(evidence: Evidence) -> dict[str, list[Target]]:
    """Suite -> its retrieval sets."""
    found: dict[str, list[Target]] = {}
    for target in evidence.of_kind("retrieval"):
        found.setdefault(target.suite or "retrieval", []).append(target)
    return found


def _members(one: Grid, family: Family) -> list[System]:
    return [system for system in family.systems if system in one.systems]


def _notes(one: Grid) -> tuple[str, ...]:
    names = dict.fromkeys(one.reference(system).name for system in one.systems)
    return (BY_THE_TEST.format(reference=" or ".join(names)), *one.notes)


def _rows(one: Grid, family: Family) -> Iterator[tuple[Cell, ...]]:
    """Each system's values, then the differences to the reference."""
    systems = _members(one, family)
    for system in systems:
        yield joined([texts(family.name, family.label(system)), one.values(system)])
    for system in systems:
        if system is not family.reference:
            name = f"{family.label(system)} − {family.label(family.reference)}"
            yield joined([texts(family.name, name), one.differences(system)])


def _combined(name: str, caption: str, one: Grid, families: Sequence[Family]) -> Iterator[Table]:
    rows = tuple(row for family in families for row in _rows(one, family))
    headings = ("backbone", "system", *(column.name for column in one.columns))
    yield Table(name, caption, headings, rows, 2, _notes(one))


def _per_backbone(name: str, caption: str, one: Grid, families: Sequence[Family]) -> Iterator[Table]:
    headings = ("system", *(column.name for column in one.columns))
    for family in families:
        rows = tuple(row[1:] for row in _rows(one, family))
        untouched = family.of("untouched")
        if untouched and untouched is not family.reference:
            trained = [s for s in _members(one, family) if s not in (untouched, family.reference)]
            rows += tuple(_minus(one, family, system, untouched) for system in trained)
        if rows:
            yield Table(f"{name}_{family.name}", f"{caption}, {family.name}", headings, rows, 1, _notes(one))


def _minus(one: Grid, family: Family, first: System, second: System) -> tuple[Cell, ...]:
    """A row of differences that are not to the reference, and not tested."""
    sides = [[one.places[s.name, column.name].value for column in one.columns] for s in (first, second)]
    cells = [one.style.difference(a, b) for a, b in zip(*sides, strict=True)]
    return joined([texts(f"{family.label(first)} − {family.label(second)}"), cells])


def _subcolumns(name: str, caption: str, one: Grid, families: Sequence[Family]) -> Iterator[Table]:
    named = {family.name: {family.label(s): s for s in _members(one, family)} for family in families}
    labels = list(dict.fromkeys(label for members in named.values() for label in members))
    changed = [label for label in labels if any(_is_compared(one, members.get(label)) for members in named.values())]
    rows = []
    for family, members in named.items():
        cells = [Cell(text=family)]
        for column in one.columns:
            cells += [one.value(members[label], column) if label in members else EMPTY for label in labels]
            cells += [one.difference(members[label], column) if label in members else EMPTY for label in changed]
        rows.append(tuple(cells))
    heads = [*labels, *(f"Δ {label}" for label in changed)]
    headings = ("backbone", *(f"{column.name} {head}" for column in one.columns for head in heads))
    yield Table(name, caption, headings, tuple(rows), 1, _notes(one))


def _is_compared(one: Grid, system: System | None) -> bool:
    return system is not None and one.reference(system) is not system


_LAYOUTS = {"combined": _combined, "per-backbone": _per_backbone, "subcolumns": _subcolumns}


def _summary(name: str, caption: str, grids: Sequence[Grid], families: Sequence[Family]) -> Table:
    """A line a system: the mean of each metric and its difference to the reference."""
    headings = ("backbone", "system", *(text for one in grids for text in (title(one.metric), "Δ")))
    rows = []
    for family in families:
        for system in _members(grids[0], family):
            pairs = [(one.value(system, one.columns[-1]), _change(one, system)) for one in grids]
            rows.append(joined([texts(family.name, family.label(system)), *pairs]))
    return Table(name, caption, headings, tuple(rows), 2, _notes(grids[0]), is_short=True)


def _change(one: Grid, system: System) -> Cell:
    return EMPTY if one.reference(system) is system else one.difference(system, one.columns[-1])


def _short(name: str, caption: str, grids: Sequence[Grid], families: Sequence[Family]) -> Iterator[Table]:
    """A line a family that has the paper's A and B: both, and their difference."""
    rows = []
    for family in families:
        a, b = family.of("baseline"), family.of("structneg")
        if a and b and {a, b} <= {*grids[0].systems}:
            ends = [(one, one.columns[-1]) for one in grids]
            cells = [(one.value(a, mean), one.value(b, mean), one.difference(b, mean)) for one, mean in ends]
            rows.append(joined([texts(family.name), *cells]))
    if rows:
        heads = ("baseline", "structneg", "Δ")
        headings = ("backbone", *(f"{title(one.metric)} {head}" for one in grids for head in heads))
        yield Table(name, caption, headings, tuple(rows), 1, _notes(grids[0]), is_short=True)
