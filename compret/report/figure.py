"""The trade that compret measures, as a figure: retrieval against near-miss separation, one point a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from compret.report.compare import differences
from compret.report.runs import COLUMNS, Run
from compret.types import UserError


def draw(runs: Sequence[Run], path: Path) -> None:
    """Write a figure (.png, .svg or .pdf): an arrow from the first run to each other one.

    Raises:
        UserError: a run lacks one of the two numbers, or was measured on other sets, or the file cannot be written.
    """
    for run in runs[1:]:
        differs = [
            d for ours, first in zip(run.columns, runs[0].columns, strict=True) for d in differences(ours, first)
        ]
        if differs:
            raise UserError(f"--figure: {run.name} is not comparable with {runs[0].name}: {'; '.join(differs)}")
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    points = {run.name: (x, y) for run in runs for x, y in [run.values] if x is not None and y is not None}
    if len(points) < len(runs):
        raise UserError("--figure: each run needs a name of its own, and retrieval and near-miss numbers")
    figure, axes = pyplot.subplots(figsize=(5.5, 4), layout="constrained")
    start = points[runs[0].name]
    for name, point in points.items():
        axes.scatter(*point, s=60, zorder=3)
        # on the side that the arrow does not come from
        left = point[0] < start[0]
        away, side = (-8, "right") if left else (8, "left")
        axes.annotate(name, point, xytext=(away, 0), textcoords="offset points", ha=side, va="center", parse_math=False)
        if point != start:
            axes.annotate("", point, start, arrowprops={"arrowstyle": "->", "color": "0.6"})
    names = list(COLUMNS)
    axes.axhline(0.5, linestyle=":", color="0.6")
    axes.annotate("chance", (0.01, 0.5), xycoords=("axes fraction", "data"), va="bottom", color="0.4")
    axes.set(xlabel=names[0], ylabel=names[1])
    axes.margins(0.3)
    axes.spines[["top", "right"]].set_visible(False)
    try:
        figure.savefig(path, dpi=160)
    except (OSError, ValueError) as error:
        raise UserError(f"--figure {path}: cannot be written ({error})") from error
    finally:
        pyplot.close(figure)
