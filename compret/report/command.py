"""`compret report`: reads its options, and hands them to the short table, the test of two, or the whole report."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from textwrap import shorten

from compret.atomic import atomic_write
from compret.plain_parser import PlainParser
from compret.report.cells import Table
from compret.report.collect import is_folder_of_runs
from compret.tables import plain, show

_PURPOSE = """What results.json files say: a line a run; with --test, which of two models, query by query; for a folder
of runs, such as logs/EXPERIMENT, tables with means over seeds, tests, figures and one HTML page."""
_EXAMPLE = """compret report untouched=logs/untouched mine=logs/mine
compret report logs/a logs/b --test
compret report logs/EXPERIMENT --out report --baseline baseline"""

_FORMATS = ("md", "tex", "csv", "html", "png", "pdf", "svg")
_LAYOUTS = ("combined", "per-backbone", "subcolumns")
_WIDEST = 90
"""Characters of a cell on a terminal; the files have all."""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = _parser().parse_intermixed_args(arguments)
    if options.test:
        return _test(options)
    if options.out or any(is_folder_of_runs(Path(text)) for text in options.runs):
        return _whole(options)
    _short(options)
    return 0


def _parser() -> PlainParser:
    parser = PlainParser(
        prog="compret report",
        description=_PURPOSE,
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "runs", nargs="+", metavar="[NAME=]PATH[,PATH]", help="a run (commas join), or a folder of runs"
    )
    parser.add_argument("--figure", type=Path, help="also draw the runs into this .png, .svg or .pdf")
    parser.add_argument("--test", action="store_true", help="compare two runs, query by query and pair by pair")
    parser.add_argument("--out", type=Path, help="folder for the files; without it, the short tables are printed")
    add = parser.add_argument
    add("--format", type=_formats, default=_FORMATS, metavar="LIST", help=f"some of {','.join(_FORMATS)}; default all")
    add("--baseline", metavar="NAME", help="what others are compared with: a system, or a part of names")
    add("--layout", choices=_LAYOUTS, default=_LAYOUTS[0], help="of the encoders' tables")
    add("--metrics", choices=("fixed", "paper"), default="fixed", help="paper: as the paper's code has them")
    add("--paper", action="store_true", help="the paper's published numbers beside ours")
    return parser


def _formats(text: str) -> tuple[str, ...]:
    found = tuple(text.split(","))
    if wrong := [name for name in found if name not in _FORMATS]:
        raise argparse.ArgumentTypeError(f"no such format: {', '.join(wrong)}; there are {', '.join(_FORMATS)}")
    return found


def _whole(options: argparse.Namespace) -> int:
    from compret.report.whole import whole

    found = whole(options.runs, options.baseline, options.metrics == "paper", options.layout, options.paper)
    for table in found.tables:
        if not options.out and table.is_short:
            _show(table)
    _say("".join(f"{note}\n" for note in found.notes))
    if options.out:
        from compret.report.write import write

        files = write(found, options.out, options.format)
        _say(f"written: {len(files)} files in {options.out}\n")
    return 0


def _short(options: argparse.Namespace) -> None:
    from compret.report.runs import read_run
    from compret.report.table import table

    runs = [read_run(text) for text in options.runs]
    _say(table(runs))
    if options.figure:
        from compret.report.figure import draw

        draw(runs, options.figure)


def _test(options: argparse.Namespace) -> int:
    from compret.report.render import comma_separated
    from compret.report.versus import versus

    found = versus(options.runs)
    for table in found.tables:
        _show(table)
    _say("".join(f"{note}\n" for note in found.notes))
    if options.out:
        for table in found.tables:
            with atomic_write(options.out / f"{table.name.replace('/', '_')}.csv") as file:
                file.write(comma_separated(table))
        with atomic_write(options.out / "test.json") as file:
            json.dump([asdict(table) for table in found.tables], file, indent=2, allow_nan=False)
        _say(f"written: {options.out}\n")
    return 0


def _show(table: Table) -> None:
    """A table on a terminal, or in a file or pipe as plain columns; what is bold elsewhere has a dagger."""
    rows = [[shorten(c.shown, _WIDEST, placeholder=" ...") + "†" * c.bold for c in row] for row in table.rows]
    _say(f"{table.caption}\n")
    if sys.stdout.isatty():
        show(table.headings, rows, texts=table.texts)
    else:
        _say(plain(table.headings, rows, table.texts))
    _say("".join(f"{note.replace('Bold:', '†:')}\n" for note in table.notes) + "\n")


def _say(text: str) -> None:
    """Write to stdout; names may hold what it cannot write."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
