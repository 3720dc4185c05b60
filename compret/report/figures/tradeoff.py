"""Retrieval against near-miss separation: a point a system, deviations over seeds, and those that none surpasses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from compret.report.figures.style import look


@dataclass(frozen=True)
class Point:
    """A system's two numbers."""

    name: str
    across: float
    up: float
    across_std: float | None
    up_std: float | None


def pareto(points: Sequence[Point]) -> list[Point]:
    """The points that no other surpasses in one number without loss in the other, from left to right."""
    best: list[Point] = []
    for point in sorted(points, key=lambda p: (-p.across, -p.up)):
        if not best or point.up > best[-1].up:
            best.append(point)
    return best[::-1]


def draw(axes: Any, points: Sequence[Point], across: str, up: str) -> None:
    """Draw into axes; titles name the numbers."""
    front = pareto(points)
    axes.step([p.across for p in front], [p.up for p in front], where="pre", color="0.6", linewidth=1, zorder=1)
    for number, point in enumerate(points):
        axes.errorbar(
            point.across,
            point.up,
            xerr=point.across_std,
            yerr=point.up_std,
            markersize=7,
            capsize=2,
            elinewidth=1,
            markerfacecolor=None if point in front else "white",
            label=point.name,
            linestyle="none",
            zorder=3,
            **look(number),
        )
    axes.axhline(0.5, color="0.6", linestyle=":", linewidth=1)
    place = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "bottom"}
    axes.text(0.99, 0.5, "chance", color="0.45", fontsize=8, **place)
    axes.set(xlabel=across, ylabel=up)
    axes.margins(0.12)
