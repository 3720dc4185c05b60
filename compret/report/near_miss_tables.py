"""Near-misses by category and system, with the cues that need no model as rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from compret.report.cells import Cell, Table, joined, texts
from compret.report.collect import System
from compret.report.evidence import Evidence
from compret.report.grid import Column, Reference, grid, tests_table
from compret.report.measures import BY_THE_TEST, Style, title
from compret.report.targets import Target

_CUES = {"overlap_auroc": "word overlap", "edit_words_auroc": "edited words"}
_WIDEST = 8
"""More categories than these go down, and systems across."""


def near_miss_tables(evidence: Evidence, reference: Reference, style: Style) -> Iterator[Table]:
    """A table a set: AUROC, or in the paper's style the mean score of near-misses; and all tests."""
    tests: list[tuple[Cell, ...]] = []
    metric = "negative_mean" if style.paper else "auroc"
    for target in evidence.of_kind("nearmiss"):
        across = [Column("all", (target,)), *(Column(t.category or "", (t,)) for t in _categories(evidence, target))]
        systems = [
            system for system in evidence.systems if evidence.runs_of(system, target) or evidence.others(system, target)
        ]
        one = grid(evidence, metric, across, systems, reference, style)
        rows = [joined([texts(system.name), one.values(system)]) for system in systems]
        cues = [] if style.paper else _cue_rows(evidence, across, systems)
        note = "Lower is better." if style.paper else BY_THE_TEST.format(reference="the reference")
        caption = style.caption(f"{title(metric)} on {target.name}, by category")
        name = f"nearmiss_{target.name.replace('/', '_')}"
        table = Table(name, caption, ("system", *(c.name for c in across)), (*rows, *cues), 1, (note, *one.notes), True)
        yield table.transposed() if len(across) > _WIDEST else table
        tests += one.tests()
    if tests:
        yield tests_table("nearmiss_tests", "Near-misses: differences, intervals and tests", tests)


def _categories(evidence: Evidence, target: Target) -> list[Target]:
    return [t for t in evidence.targets if t.kind == "nearmiss" and t.name == target.name and t.category is not None]


def _cue_rows(evidence: Evidence, across: Sequence[Column], systems: Sequence[System]) -> Iterator[tuple[Cell, ...]]:
    """What can be had without a model; the same for all systems, since it hangs on the pairs alone."""
    for metric, name in _CUES.items():
        found = [_of_any(evidence, column.targets[0], metric, systems) for column in across]
        if any(value is not None for value in found):
            yield joined([texts(name), [Cell(value=value) for value in found]])


def _of_any(evidence: Evidence, target: Target, metric: str, systems: Sequence[System]) -> float | None:
    values = (evidence.value(system, target, metric) for system in systems)
    return next((value.mean for value in values if value is not None), None)
