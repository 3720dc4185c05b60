"""The similarity map of two texts as a heat map, token by token."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from compret.evaluation.atomic import atomic_path
from compret.evaluation.explain import Explanation
from compret.types import UserError, printable

SUFFIXES = (".png", ".pdf", ".svg")
_INCHES = 0.32
"""Of a cell; the labels beside it stay readable."""
_SMALL = (4.0, 24.0)
"""The smallest and the largest side of the map."""
_NUMBERED = 14
"""Tokens a side up to which each cell has its number in it."""


def draw_map(found: Explanation, path: Path) -> None:
    """Write a figure (.png, .pdf or .svg): the first text's tokens down, the second's across, cosines as colours.

    Raises:
        UserError: the file cannot be written, or has another suffix.
    """
    if path.suffix not in SUFFIXES:
        raise UserError(f"--out {path}: a figure is {', '.join(SUFFIXES)}; name one by its suffix")
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    (down, across), map_MN = found.tokens, found.map_MN
    height, width = (min(max(_SMALL[0], _INCHES * len(side) + 1.5), _SMALL[1]) for side in (down, across))
    figure, axes = pyplot.subplots(figsize=(width + 1, height), layout="constrained")
    lowest = min(0.0, float(map_MN.min()))
    image = axes.imshow(map_MN, vmin=lowest, vmax=1.0, cmap="viridis", aspect="auto")
    size = 8 if max(map(len, found.tokens)) <= 60 else 5
    axes.set_xticks(range(len(across)), list(map(printable, across)), rotation=60, ha="right", fontsize=size)
    axes.set_yticks(range(len(down)), list(map(printable, down)), fontsize=size)
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_parse_math(False)
    if max(map(len, found.tokens)) <= _NUMBERED:
        middle = (lowest + 1) / 2
        for (m, n), value in np.ndenumerate(map_MN):
            colour = "black" if value > middle else "white"
            axes.text(n, m, f"{value:.2f}".replace("0.", "."), ha="center", va="center", fontsize=6.5, color=colour)
    verified = "" if found.score is None else f", verifier {found.score:.3f}"
    axes.set_title(f"pooled cosine {found.cosine:.3f}{verified}", fontsize=10)
    figure.colorbar(image, label="cosine of two tokens", shrink=0.8)
    try:
        # a character that no font has is drawn as a box
        with atomic_path(path) as unfinished, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            figure.savefig(unfinished, dpi=160, format=path.suffix[1:])
    finally:
        pyplot.close(figure)
