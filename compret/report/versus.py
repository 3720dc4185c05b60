"""`compret report A B --test`: which of two models, query by query and pair by pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compret.metrics.placements import placements
from compret.metrics.stats import holm
from compret.report.cells import Cell, Table, texts
from compret.report.collect import System, collect, columns_of
from compret.report.evidence import Contrast, Evidence
from compret.report.targets import Target
from compret.types import UserError

_MOST = 5
"""Wins and losses that are shown of each set."""
_HEADINGS = ("difference", "low", "high", "p", "p (Holm)")
_NOTE = (
    "difference: second minus first. low, high: 95 % interval by bootstrap over queries or groups of pairs{seeds}. p: "
    "by swapping the two within these, 9,999 times; Holm over the rows of the table. Bold: below .05 after Holm."
)

_PLACE = "place: the share of pairs of the other label that it stands right of, from 0 to 1."


@dataclass(frozen=True)
class Versus:
    """Two systems side by side."""

    tables: tuple[Table, ...]
    """All sets, near-misses by category, and what changed most."""
    notes: tuple[str, ...]


def versus(given: Sequence[str]) -> Versus:
    """Compare two systems on all that both were asked in the same way.

    Raises:
        UserError: there are not two, a set of one name is not the same for both, or files are missing.
    """
    if len(given) != 2:
        raise UserError(f"--test: compares two runs, {len(given)} are given")
    first, second = _systems(given)
    evidence = Evidence((first, second))
    targets, notes = _shared(evidence, first, second)
    sets = [t for t in targets if not t.part]
    parts = [t for t in targets if t.category is not None]
    tables = [_table("test", "Which of the two", evidence, sets, first, second)]
    if parts:
        tables.append(_table("test_categories", "Near-misses by category", evidence, parts, first, second))
    tables += [_changes(evidence, target, first, second) for target in sets if _has_units(evidence, target, first)]
    if evidence.problems:
        raise UserError(f"--test: {evidence.problems[0]}")
    return Versus(tuple(tables), tuple(notes))


def _systems(given: Sequence[str]) -> tuple[System, System]:
    """The two; each may have been trained with several seeds."""
    found = []
    for text in given:
        systems = collect([text]).systems
        if len(systems) > 1:
            raise UserError(
                f"{text}: {len(systems)} systems ({', '.join(s.name for s in systems[:5])}); give one of them"
            )
        found.append(systems[0])
    if found[0].name == found[1].name:
        found = [System(f"{s.name} ({n})", s.runs) for s, n in zip(found, ("first", "second"), strict=True)]
    return found[0], found[1]


def _shared(evidence: Evidence, first: System, second: System) -> tuple[list[Target], list[str]]:
    """What both were asked, and what only one was.

    Raises:
        UserError: nothing, or something under other conditions.
    """
    ours, theirs = evidence.all_of(first), evidence.all_of(second)
    for place, target in ours.items():
        if theirs.get(place, target) != target:
            said = theirs[place].differences(target)
            raise UserError(f"--test: {second.name} is not comparable with {first.name} on {target.name}: {said}")
    both = [target for place, target in ours.items() if place in theirs]
    if not both:
        raise UserError(f"--test: {first.name} and {second.name} have no set in common")
    alone = ((first, ours, theirs), (second, theirs, ours))
    only = [(s.name, [name for _, name, part in {*mine} - {*other} if not part]) for s, mine, other in alone]
    return both, [f"{name} alone was asked {', '.join(sorted(sets))}" for name, sets in only if sets]


def _table(name: str, caption: str, evidence: Evidence, targets: Sequence[Target], a: System, b: System) -> Table:
    measures = [*_measures(targets, a)]
    found = [evidence.contrasts([target], metric, [(b, a)])[0] for target, metric in measures]
    known = [(target, metric, one) for (target, metric), one in zip(measures, found, strict=True) if one]
    adjusted = iter(holm([one.p for *_, one in known if one.p is not None]))
    rows = [
        (*texts(target.label, metric), *_numbers(one, None if one.p is None else next(adjusted)))
        for target, metric, one in known
    ]
    note = _NOTE.format(seeds=", and over seeds" if max(len(a.runs), len(b.runs)) > 1 else "")
    return Table(name, caption, ("set", "metric", a.name, b.name, *_HEADINGS), tuple(rows), 2, (note,))


def _measures(targets: Sequence[Target], system: System) -> Iterator[tuple[Target, str]]:
    """Each target with the metrics that its kind's columns name."""
    for target in targets:
        columns = [c for run in system.runs[:1] for file in run.files for c in columns_of(file)]
        for metric in dict.fromkeys(c["metric"] for c in columns if c["kind"] == target.kind):
            yield target, metric


def _numbers(found: Contrast, corrected: float | None) -> Iterator[Cell]:
    bold = corrected is not None and corrected < 0.05
    yield from (Cell(value=found.second), Cell(value=found.first), Cell(value=found.difference, signed=True, bold=bold))
    yield from (Cell(value=found.low, signed=True), Cell(value=found.high, signed=True))
    yield from (Cell(value=found.p, digits=4), Cell(value=corrected, digits=4, bold=bold))


def _changes(evidence: Evidence, target: Target, a: System, b: System) -> Table:
    """The queries or pairs on which the two differ most."""
    names, first, second = _by_unit(evidence, target, a, b)
    order = np.argsort(second - first, kind="stable")
    won, lost = order[::-1][:_MOST], order[:_MOST]
    changed = [("win", i) for i in won if second[i] > first[i]] + [("loss", i) for i in lost if second[i] < first[i]]
    rows = [(*texts(how, names[i]), Cell(value=first[i]), Cell(value=second[i])) for how, i in changed]
    of_queries = target.kind == "retrieval"
    what, value = ("query", "nDCG@10") if of_queries else ("pair", "place")
    headings = (f"{b.name}:", what, f"{value}, {a.name}", f"{value}, {b.name}")
    caption = f"{target.name}: what changed most"
    return Table(f"changes_{target.name}", caption, headings, tuple(rows), 2, () if of_queries else (_PLACE,))


def _has_units(evidence: Evidence, target: Target, system: System) -> bool:
    metric = {"retrieval": "ndcg@10", "nearmiss": "auroc"}.get(target.kind)
    return metric is not None and evidence.value(system, target, metric) is not None


def _by_unit(
    evidence: Evidence, target: Target, a: System, b: System
) -> tuple[list[str], NDArray[np.float64], NDArray[np.float64]]:
    """Names of queries or pairs, and both systems' mean values over seeds."""
    sides = []
    names: list[str] = []
    for system in (a, b):
        runs = evidence.runs_of(system, target)
        if target.kind == "retrieval":
            found = [evidence.queries(run, target) for run in runs]
            names, values = [*found[0].ids], [one.values["ndcg@10"] for one in found]
        else:
            pairs = [evidence.pairs(run, target) for run in runs]
            t = pairs[0].texts
            words = zip(t.anchors, t.candidates, t.labels_P, t.categories, strict=True)
            names = [f"{x} | {y} ({'same' if same else c})" for x, y, same, c in words]
            values = [placements(one.scores_P, t.labels_P) for one in pairs]
        sides.append(np.mean(values, axis=0))
    return names, sides[0], sides[1]
