"""`compret merge`: a model between two, such as an untouched and a trained one, as an export."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from compret.plain_parser import PlainParser
from compret.types import UserError


def merge(arguments: Sequence[str]) -> int:
    """Write the export whose weights lie between those of two models of one architecture.

    Raises:
        UserError: a model is not there, they differ in more than weights, or there is something where it should go.
    """
    options = _parser().parse_intermixed_args(arguments)
    if options.out.exists() and not options.force:
        raise UserError(f"{options.out}: there is something already; give another --out, or --force")
    from compret.evaluation.interpolate import interpolate, read, write

    one, other = (read(path, options.max_length) for path in (options.a, options.b))
    has_threshold = one.verifier is not None
    write(interpolate(one, other, options.alpha), options.out, _card(options))
    sys.stdout.write(f"wrote: {options.out}\n")
    if has_threshold:
        sys.stdout.write("without a threshold, which belongs to the weights that it was fitted on\n")
    sys.stdout.write(f"test it: compret test --config pydoc.yaml --ckpt_path {options.out}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = PlainParser(
        prog="compret merge", description="Write the export whose weights are (1 - alpha) of A's and alpha of B's.",
        epilog="Example: compret merge untouched/ checkpoints/mine/version_0/export --alpha 0.7 --out merged",
    )  # fmt: skip
    add = parser.add_argument
    add("a", metavar="A", help="an export, a backbone's folder or hub id, or the last.ckpt of a fit")
    add("b", metavar="B", help="another of the same architecture")
    add("--alpha", type=_share, required=True, help="from 0, which is A, to 1, which is B")
    add("--out", type=Path, required=True, metavar="FOLDER", help="where the export goes")
    add("--max_length", type=int, help="tokens a text may have, where A and B have other limits")
    add("--force", action="store_true", help="replace what is there")
    return parser


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text}: a number from 0 to 1")
    return value


def _card(options: argparse.Namespace) -> str:
    head = "---\nlibrary_name: sentence-transformers\ntags: [sentence-transformers, compret]\n---"
    return (
        f"{head}\n# {options.out.name}\n\n{1 - options.alpha:g} of {options.a} and {options.alpha:g} of {options.b}.\n"
    )
