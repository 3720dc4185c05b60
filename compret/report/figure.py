"""The trade that compret measures, as a figure: retrieval against near-miss separation, one point a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from compret.report.compare import differences
from compret.report.runs import Run, titles
from compret.types import UserError


def draw(runs: Sequence[Run], path: Path) -> None:
    """Write a figure (.png, .svg or .pdf): an arrow from the first run to each other one.

    Raises:
        UserError: a run lacks one of the two numbers, or was measured on other sets, or the file cannot be written.
    """
    (across, up), points = [*titles(runs), "", ""][:2], {run.name: run.values for run in runs}
    if len(points) < len(runs) or not all(across in values and up in values for values in points.values()):
        raise UserError("--figure: each run needs a name of its own, and two numbers, as of retrieval and near-misses")
    for run in runs[1:]:
        differs = [d for title in (across, up) for d in differences(run.columns[title], runs[0].columns[title])]
        if differs:
            raise UserError(f"--figure: {run.name} is not comparable with {runs[0].name}: {'; '.join(differs)}")
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.5, 4), layout="constrained")
    start = points[runs[0].name][across], points[runs[0].name][up]
    for name, values in points.items():
        point = values[across], values[up]
        axes.scatter(*point, s=60, zorder=3)
        # on the side that the arrow does not come from
        left = point[0] < start[0]
        away, side = (-8, "right") if left else (8, "left")
        axes.annotate(name, point, xytext=(away, 0), textcoords="offset points", ha=side, va="center", parse_math=False)
        if point != start:
            axes.annotate("", point, start, arrowprops={"arrowstyle": "->", "color": "0.6"})
    axes.axhline(0.5, linestyle=":", color="0.6")
    axes.annotate("chance", (0.01, 0.5), xycoords=("axes fraction", "data"), va="bottom", color="0.4")
    axes.set(xlabel=across, ylabel=up)
    axes.margins(0.3)
    axes.spines[["top", "right"]].set_visible(False)
    try:
        figure.savefig(path, dpi=160)
    except (OSError, ValueError) as error:
        raise UserError(f"--figure {path}: cannot be written ({error})") from error
    finally:
        pyplot.close(figure)
