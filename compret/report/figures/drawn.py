"""Which figures a report has, and what each is drawn of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from compret.report.collect import Found, System
from compret.report.encoder_tables import by_suite
from compret.report.figures import differences, histograms, reliability, roc, tradeoff
from compret.report.figures.roc import Scored
from compret.report.figures.style import canvas, legend
from compret.report.measures import title
from compret.report.targets import Target, value_of
from compret.report.whole import Whole
from compret.types import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TRADEOFF = "against near-misses; filled: none is better in one without loss in the other. Bars: deviation over seeds."
_MOST_LINES, _MOST_POINTS = 8, 40
"""More systems than these make a figure that nobody can read."""


@dataclass(frozen=True)
class Drawing:
    """A figure that has not been drawn yet."""

    name: str
    caption: str
    draw: Callable[[], AbstractContextManager[Figure]]


def drawings(report: Whole) -> Iterator[Drawing]:
    """All figures that the runs have numbers for."""
    sets = report.evidence.of_kind("nearmiss")
    compared = [s for s in report.evidence.systems if report.reference(s) is not s][:_MOST_LINES]
    for suite, targets in by_suite(report.evidence).items():
        points = _points(report, targets, sets)
        if len(points) > 1:
            yield Drawing(f"tradeoff_{suite}", f"Retrieval on {suite} {_TRADEOFF}", partial(_tradeoff, points, suite))
        if compared:
            caption = f"nDCG@10 on {suite}: difference to the reference, with 95 % intervals."
            yield Drawing(f"differences_{suite}", caption, partial(_differences, report, targets, compared))
    for target in sets:
        scored = {s: one for s in report.evidence.systems if (one := _scored(report, s, target))}
        if scored:
            yield from _of_pairs(report, target, dict([*scored.items()][:_MOST_LINES]))


def _of_pairs(report: Whole, target: Target, scored: Mapping[System, Scored]) -> Iterator[Drawing]:
    name, lines = target.name, [*scored.values()]
    yield Drawing(f"roc_{name}", f"ROC on {name}; a mark where the threshold lies.", partial(_roc, lines))
    yield Drawing(f"reliability_{name}", f"Share of paraphrases by score, {name}.", partial(_reliability, lines))
    for system in scored:
        caption = f"Scores of {system.name} on {name}, by category."
        yield Drawing(f"scores_{name}_{system.name}", caption, partial(_histograms, report, system, target))


def _points(report: Whole, targets: list[Target], sets: list[Target]) -> list[tradeoff.Point]:
    found = []
    for system in report.evidence.systems:
        across, up = report.evidence.value(system, targets, "ndcg@10"), report.evidence.value(system, sets, "auroc")
        if across and up:
            found.append(tradeoff.Point(system.name, across.mean, up.mean, across.std, up.std))
    return found[:_MOST_POINTS]


def _scored(report: Whole, system: System, target: Target) -> Scored | None:
    """Of the system's first seed; None where it was not asked, or has pairs of one label."""
    runs = report.evidence.runs_of(system, target)
    if not runs or value_of(runs[0], target, "auroc") is None:
        return None
    try:
        pairs = report.evidence.pairs(runs[0], target)
    except UserError:
        return None
    threshold = value_of(runs[0], target, "threshold")
    return Scored(system.name, pairs.scores_P, pairs.texts.labels_P, threshold, _probabilities(runs[0], pairs.scores_P))


def _probabilities(run: Found, scores_P: Any) -> Any:
    kept = run.meta.get("calibration")
    if not isinstance(kept, dict) or not all(isinstance(kept.get(k), float) for k in ("temperature", "shift")):
        return None
    return 1 / (1 + np.exp(-(scores_P - kept["shift"]) / kept["temperature"]))


@contextmanager
def _tradeoff(points: list[tradeoff.Point], suite: str) -> Iterator[Figure]:
    with canvas(5.5, 4.2 + 0.1 * len(points)) as (figure, axes):
        tradeoff.draw(axes, points, f"{suite} nDCG@10", "near-miss AUROC")
        legend(figure, axes)
        yield figure


@contextmanager
def _differences(report: Whole, targets: list[Target], compared: list[System]) -> Iterator[Figure]:
    pairs = [(system, report.reference(system)) for system in compared]
    by_set = [report.evidence.contrasts([target], "ndcg@10", pairs) for target in targets]
    systems = {system.name: [row[i] for row in by_set] for i, system in enumerate(compared)}
    with canvas(5.5, 1.5 + len(targets) * (0.15 + 0.09 * len(systems))) as (figure, axes):
        differences.draw(axes, [t.name for t in targets], systems, f"difference of {title('ndcg@10')}")
        legend(figure, axes)
        yield figure


@contextmanager
def _roc(scored: list[Scored]) -> Iterator[Figure]:
    with canvas(4.5, 5.2) as (figure, axes):
        roc.draw(axes, scored)
        legend(figure, axes)
        yield figure


@contextmanager
def _reliability(scored: list[Scored]) -> Iterator[Figure]:
    with_probability = [one for one in scored if one.probabilities_P is not None]
    with canvas(4.5, 4.2) as (figure, axes):
        reliability.draw(axes, with_probability or scored)
        legend(figure, axes)
        yield figure


@contextmanager
def _histograms(report: Whole, system: System, target: Target) -> Iterator[Figure]:
    pairs = report.evidence.pairs(report.evidence.runs_of(system, target)[0], target)
    paraphrases, near_misses = {}, {}
    for category in (None, *pairs.texts.names):
        rows, _ = pairs.texts.rows_of(category)
        same = pairs.texts.labels_P[rows] == 1
        name = "all" if category is None else category
        paraphrases[name], near_misses[name] = pairs.scores_P[rows[same]], pairs.scores_P[rows[~same]]
    across = min(4, len(near_misses))
    down = -(-len(near_misses) // across)
    with canvas(1.9 * across + 0.6, 1.4 * down + 0.6, nrows=down, ncols=across, squeeze=False, sharex=True) as (
        figure,
        axes,
    ):
        histograms.draw(axes.ravel(), paraphrases, near_misses)
        for axis in axes.ravel()[len(near_misses) :]:
            axis.set_visible(False)
        figure.supxlabel("score", fontsize=9)
        figure.supylabel("share", fontsize=9)
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper right", ncols=2, fontsize=8)
        yield figure
