"""The console script: names its commands and answers the light ones before anything heavy is imported."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from compret import __version__
from compret.signals import end_with_launcher, ending, wait_for_launcher

COMMANDS = {
    "fit": "train, with checkpoints, validation and an export that SentenceTransformer loads",
    "validate": "run the validation suites",
    "test": "run benchmark suites and write results.json; NanoBEIR with the default backbone if nothing is given",
    "predict": "embed the lines of a text file",
    "experiment": "run what is missing of a matrix of runs, each a fit and a test",
    "merge": "write a model between two of one architecture",
    "mteb": "write a results.json as MTEB's files",
    "perturb": "make near-misses and paraphrases of the texts in a file",
    "audit": "is my semantic cache safe? what a model lets through and loses, by category, at a threshold",
    "explain": "why two texts match: their scores, the words that differ, the similarity map",
    "report": "tables, tests, figures and a page from results.json files",
    "ls": "list the shipped configs",
    "cp": "copy a shipped config, to change it",
    "init": "write a config with your files filled in",
    "doctor": "say what this machine gives a run, how fast it is, and what would help",
}

_LIGHT = {
    "report": "report.command:main",
    "experiment": "experiment.command:main",
    "merge": "merge:merge",
    "mteb": "mteb_files:mteb",
    "perturb": "perturb_command:main",
    "audit": "audit_command:main",
    "explain": "explain_command:main",
    "ls": "recipes:ls",
    "cp": "recipes:cp",
    "init": "init:init",
    "doctor": "doctor:doctor",
}
"""Commands that bring their own parser: module and function."""
_AT_ONCE = {"ls", "cp", "init", "mteb"}
"""Those with nothing to tidy up when they are told to end."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command: 0, 2 for a mistake of the user's, told in one line, 130 after Ctrl-C, 143 after SIGTERM."""
    with ending.listening(is_last=argv is None):
        end_with_launcher()
        _find_own_files()
        try:
            code = _command(list(sys.argv[1:] if argv is None else argv))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                ending.told = ending.told or signal.SIGINT
            if ending.told is None:
                wait_for_launcher(error)
                raise
            ending.say()
            return ending.code  # whatever else went wrong on the way out
        return code if ending.told is None else ending.code


def _find_own_files() -> None:
    """A file beside the working directory can be named by its import path; last of all, so that it hides no package."""
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)


def _command(arguments: list[str]) -> int:
    from compret.types import UserError

    command = _parser().parse_args(arguments[:1]).command
    try:
        if command in _LIGHT:
            module, _, function = _LIGHT[command].partition(":")
            ending.how = "leave" if command in _AT_ONCE else "unwind"
            return int(getattr(import_module(f"compret.{module}"), function)(arguments[1:]))
        from compret.help import is_asked, show

        if is_asked(arguments):
            return show(arguments)
        from compret.precheck import precheck

        precheck(arguments)
        os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")
        run = _runner()
        ending.how = "unwind"
        return run(arguments)
    except UserError as error:
        sys.stderr.write(f"compret: {error}\n")
        return 2


def _runner() -> Callable[[Sequence[str]], int]:
    """`cli.run`, imported without the garbage collector, which would walk the modules again and again for a second."""
    gc.disable()
    from compret.cli import run

    gc.freeze()
    gc.enable()
    return run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="compret",
        usage="compret COMMAND [OPTIONS]",
        description="Train and benchmark dense retrievers that must tell near-misses from paraphrases.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="compret COMMAND --help lists a command's options; --config takes a file or the name of a shipped one.",
    )
    parser.add_argument("--version", action="version", version=f"compret {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        commands.add_parser(name, help=text, add_help=False)
    return parser


if __name__ == "__main__":
    sys.exit(main())
