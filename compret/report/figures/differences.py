"""Differences to the reference by data set, with their 95 % intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from compret.report.evidence import Contrast
from compret.report.figures.style import look


def draw(axes: Any, sets: Sequence[str], systems: Mapping[str, Sequence[Contrast | None]], title: str) -> None:
    """Draw into axes: a line a set, the first on top; systems beside each other.

    Args:
        systems: name -> a contrast for each set.
    """
    step = 0.7 / max(1, len(systems))
    for number, (name, contrasts) in enumerate(systems.items()):
        known = [(place, c) for place, c in enumerate(contrasts) if c is not None]
        places = [place + (number - (len(systems) - 1) / 2) * step for place, _ in known]
        values = [c.difference for _, c in known]
        sides = [
            [abs(c.difference - (c.difference if end is None else end)) for end in (c.low, c.high)] for _, c in known
        ]
        bars = {"xerr": np.reshape(sides, (-1, 2)).T, "capsize": 2, "markersize": 4, "elinewidth": 1}
        axes.errorbar(values, places, linestyle="none", label=name, **bars, **look(number))
    axes.axvline(0, color="0.5", linewidth=1)
    axes.set_yticks(range(len(sets)), sets)
    axes.set_ylim(len(sets) - 0.4, -0.6)
    axes.set_xlabel(title)
