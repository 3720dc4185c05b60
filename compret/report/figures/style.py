"""One look for all figures: colours that the colour-blind tell apart, with markers and dashes that grey keeps apart."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compret.atomic import atomic_path
from compret.types import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Okabe and Ito 2008, the darker first; yellow is left out, since it fades on white."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", "--", "-.", ":")
_RC: dict[Any, Any] = {
    **{"axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25},
    **{"font.size": 9.0, "legend.frameon": False, "svg.fonttype": "none", "svg.hashsalt": "compret"},
    **{"text.parse_math": False, "figure.constrained_layout.use": True, "pdf.fonttype": 42},
}


def look(number: int) -> dict[str, Any]:
    """Colour and marker of the n-th of several; a colour that comes again has another marker."""
    colour, again = number % len(COLOURS), number // len(COLOURS)
    return {"color": COLOURS[colour], "marker": MARKERS[(colour + again) % len(MARKERS)]}


def line(number: int) -> dict[str, Any]:
    """Colour and dash of the n-th of several; a colour that comes again has another dash."""
    colour, again = number % len(COLOURS), number // len(COLOURS)
    return {"color": COLOURS[colour], "linestyle": DASHES[(colour + again) % len(DASHES)]}


@contextmanager
def canvas(width: float, height: float, **subplots: Any) -> Iterator[tuple[Figure, Any]]:
    """A figure and its axes, in inches; imports matplotlib, and needs no screen."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    with matplotlib.rc_context(_RC):
        figure, axes = pyplot.subplots(figsize=(width, height), **subplots)
        try:
            yield figure, axes
        finally:
            pyplot.close(figure)


def legend(figure: Figure, axes: Any) -> None:
    """Below the axes, so that it covers nothing; in as many columns as are read at once."""
    handles, names = axes.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(3, max(1, len(names))), fontsize=8)


def save(figure: Figure, path: Path) -> None:
    """Write a figure, whole or not at all; the same figure gives the same bytes.

    Raises:
        UserError: the file cannot be written.
    """
    stamp = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}[path.suffix[1:]]
    try:
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=160, format=path.suffix[1:], metadata=stamp)
    except ValueError as error:
        raise UserError(f"{path}: cannot be drawn ({error})") from error


def svg(figure: Figure, name: str) -> str:
    """A figure as a part of a page: with ids of its own, and black that is the page's colour of text."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True)
    text = file.getvalue()
    text = re.sub(r"<style.*?</style>|<!--.*?-->", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'(xlink:href="|url\()#', rf"\1#{name}-", text)
    return text.replace("#000000", "currentColor")
