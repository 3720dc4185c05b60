"""`compret explain`: why two texts match. Mistakes are told before torch is imported."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from compret.folders import check_model, meant_checkpoint
from compret.plain_parser import PlainParser
from compret.terminal import tell
from compret.types import UserError, printable

if TYPE_CHECKING:
    from compret.evaluation.explain import Explanation
    from compret.evaluation.scoring_model import ScoringModel

_MINILM = "sentence-transformers/all-MiniLM-L6-v2"
_SUFFIXES = (".png", ".pdf", ".svg")
_RED, _NO_RED = "\033[1;31m", "\033[0m"
_OPEN, _CLOSE, _TIE = "\ue000", "\ue001", "\ue002"
"""Signs that no printed text has: brackets that take colour, and a blank at which no line is broken."""


def main(arguments: Sequence[str]) -> int:
    """Why do two texts match? Their pooled cosine, a verifier's score and verdict where the model has one, the words
    that differ, and each token with the best cosine that it finds in the other text."""
    options = _parser().parse_intermixed_args(arguments)
    tell()
    checkpoint = _checked(options)
    from compret.evaluation.explain import explain
    from compret.terminal import quiet

    quiet()
    found = explain(_model(options.model, checkpoint), options.text_a, options.text_b)
    sys.stdout.write("\n".join(lines(found, _width(), sys.stdout.isatty() and "NO_COLOR" not in os.environ)) + "\n")
    if options.out is not None:
        from compret.evaluation.map_figure import draw_map

        draw_map(found, options.out)
        sys.stdout.write(f"wrote: {options.out}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = PlainParser(
        prog="compret explain", description=main.__doc__,
        epilog="Example: compret explain 'The dog bit the man.' 'The man bit the dog.' --out map.png",
    )  # fmt: skip
    add = parser.add_argument
    add("text_a", metavar="TEXT_A", help="in quotes")
    add("text_b", metavar="TEXT_B", help="in quotes")
    add("--model", metavar="FOLDER_OR_ID", help=f"an encoder, or the export of a verifier; {_MINILM} if not given")
    add("--ckpt_path", metavar="FILE", help="a checkpoint in its place")
    add("--out", type=Path, metavar="FILE", help=f"draw the similarity map: {', '.join(_SUFFIXES)}")
    return parser


def _checked(options: argparse.Namespace) -> Path | None:
    """The checkpoint, if one is meant; the first mistake is told."""
    for name, text in (("TEXT_A", options.text_a), ("TEXT_B", options.text_b)):
        if not text.strip():
            raise UserError(f"{name}: empty; there is nothing to explain")
    if options.out is not None and options.out.suffix not in _SUFFIXES:
        raise UserError(f"--out {options.out}: a figure is {', '.join(_SUFFIXES)}; name one by its suffix")
    if options.model is not None and options.ckpt_path is not None:
        raise UserError("--ckpt_path, --model: give one of them")
    check_model("--model", options.model or _MINILM)
    path = meant_checkpoint(options.ckpt_path, Path(), "fit")
    if path is not None and not path.exists():
        raise UserError(f"--ckpt_path {path}: no such file")
    return path


def _model(model: str | None, checkpoint: Path | None) -> ScoringModel:
    if checkpoint is not None:
        from compret.tasks.restore import restored

        return restored(checkpoint)
    from compret.evaluation.scoring_model import load_model

    return load_model(model or _MINILM)


def _width() -> int:
    """Of a terminal; lines of a file stay whole."""
    return min(120, shutil.get_terminal_size().columns) if sys.stdout.isatty() else 10_000


def lines(found: Explanation, width: int, colours: bool) -> list[str]:
    """What is seen in two texts, line by line; words that differ stand in brackets, and in red where colours are."""
    from compret.evaluation.explain import differing

    said = [f"pooled cosine  {found.cosine:.4f}"]
    if found.score is not None:
        said.append(f"verifier       {found.score:.4f}{_verdict(found)}")
    if found.truncated:
        said.append(f"{found.truncated} of the texts lost their end to the length limit")
    for name, words in zip("AB", differing(*found.texts), strict=True):
        said += ["", f"text {name}", *_filled(" ".join(_marked(*word) for word in words), width)]
    for name, tokens, best in zip("AB", found.tokens, found.best, strict=True):
        cells = (f"{printable(token)}{_TIE}{value:.2f}" for token, value in zip(tokens, best.tolist(), strict=True))
        said += ["", f"tokens of {name}, each with the best cosine that it finds in {'BA'['AB'.index(name)]}"]
        said += _filled("  ".join(cells), width)
    opening, closing = (f"{_RED}[", f"]{_NO_RED}") if colours else ("[", "]")
    return [line.replace(_TIE, " ").replace(_OPEN, opening).replace(_CLOSE, closing) for line in said]


def _verdict(found: Explanation) -> str:
    if found.verdict is None:
        return ", not calibrated: there is no threshold"
    same = "the same" if found.verdict.accept else "not the same"
    return f", threshold {found.threshold:.4f}: {same} (probability {found.verdict.probability:.2f})"


def _marked(word: str, differs: bool) -> str:
    return f"{_OPEN}{printable(word)}{_CLOSE}" if differs else printable(word)


def _filled(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
