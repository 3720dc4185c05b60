"""`compret experiment`: reads a matrix, says where its runs are, and runs what is missing."""

from __future__ import annotations

import argparse
import fnmatch
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from compret.config_files import read_config
from compret.experiment.executors import Executor, Local
from compret.experiment.matrix import Experiment, expand
from compret.experiment.parts import Part, parts_of
from compret.experiment.records import locked, write_json
from compret.experiment.runner import Runner, look
from compret.experiment.show import board, listing, summary, tail
from compret.plain_parser import PlainParser
from compret.types import UserError

PROGRAM = (sys.executable, "-m", "compret")


def main(arguments: Sequence[str], program: Sequence[str] = PROGRAM) -> int:
    """Run what is missing of a matrix of runs: 0 when all of it is done, 1 when a run failed.

    Args:
        program: what is started for each run, with the words of its command behind it.

    Raises:
        UserError: a mistake in the matrix, in a config that it names, or in an option.
    """
    options = _parser().parse_intermixed_args(arguments)
    content = _read(options.file)
    experiment = expand(content, options.file, dict(map(_assigned, options.set)))
    parts = chosen(parts_of(experiment, options.root), options.only)
    for part in parts:
        part.check()
    if options.dry_run:
        return _tell(parts, options.reuse)
    room = options.root / "logs" / experiment.name
    with locked(room):
        write_json(room / "experiment.json", _about(experiment, options.file))
        return _run(experiment, parts, _executor(options, experiment, room), program, options.reuse)


def _run(experiment: Experiment, parts: Sequence[Part], executor: Executor, program: Sequence[str], reuse: bool) -> int:
    with board(executor.at_once) as shown:
        runner = Runner(parts, executor, program, shown, reuse)
        shown.say(f"{experiment.name}: {summary(runner.rows)}")
        try:
            runner.run()
        except BaseException:
            shown.say(f"{experiment.name}: {summary(runner.rows)}; the same command goes on")
            raise
        shown.draw(runner.rows)
    for row in runner.failed:
        sys.stdout.writelines(tail(row))
    sys.stdout.write(f"{experiment.name}: {summary(runner.rows)}\n")
    return 1 if runner.failed else 0


def _tell(parts: Sequence[Part], reuse: bool) -> int:
    """Write where all parts are, and the commands of those that would run."""
    rows = [look(part, reuse) for part in parts]
    sys.stdout.write(listing(rows) + f"{summary(rows)}\n")
    missing = [row.part for row in rows if row.state not in ("done", "running")]
    sys.stdout.writelines(f"{shlex.join(['compret', *part.words(part.last())])}\n" for part in missing)
    return 0


def chosen(parts: Sequence[Part], words: Sequence[str]) -> list[Part]:
    """The parts of the runs that `--only` names, and what they build on.

    Args:
        words: `AXIS=GLOB`, of which each axis that is named must fit, or a glob of a run's name, of which one must.

    Raises:
        UserError: there is no such axis, or no run fits.
    """
    names = [word for word in words if "=" not in word]
    axes: dict[str, list[str]] = {}
    for axis, _, glob in (word.partition("=") for word in words if "=" in word):
        axes.setdefault(axis, []).append(glob)
    known = {axis: None for part in parts for axis in part.run.axes}
    for axis in axes:
        if axis not in known:
            raise UserError(f"--only {axis}=...: no such axis; there are {', '.join(known)}")
    wanted = [part for part in parts if _fits(part, names, axes)]
    for name in names:
        if not any(fnmatch.fnmatchcase(part.run.name, name) for part in parts):
            raise UserError(
                f"--only {name}: no such run; there are {', '.join(dict.fromkeys(p.run.name for p in parts))}"
            )
    if not wanted:
        raise UserError(f"--only {' '.join(words)}: no run fits all of them")
    with_needed = {(part.run.name, part.command) for part in wanted for part in (part, *_below(part))}
    return [part for part in parts if (part.run.name, part.command) in with_needed]


def _fits(part: Part, names: Sequence[str], axes: Mapping[str, Sequence[str]]) -> bool:
    run = part.run
    of_axes = (any(fnmatch.fnmatchcase(str(run.axes.get(a, "")), glob) for glob in globs) for a, globs in axes.items())
    return all(of_axes) and (not names or any(fnmatch.fnmatchcase(run.name, name) for name in names))


def _below(part: Part) -> list[Part]:
    return [found for before in part.before for found in (before, *_below(before))]


def _about(experiment: Experiment, file: str) -> Mapping[str, Any]:
    """What a report has to know of the matrix: which runs are of one system, and how they are compared."""
    runs = {run.name: {"system": run.system, "axes": dict(run.axes)} for run in experiment.runs}
    return {"name": experiment.name, "file": file, "report": dict(experiment.report), "runs": runs}


def _executor(options: argparse.Namespace, experiment: Experiment, room: Path) -> Executor:
    if options.executor == "local":
        return Local(options.jobs)
    from compret.experiment.slurm import Slurm

    return Slurm(room / ".jobs", experiment.slurm)


def _read(file: str) -> Mapping[str, Any]:
    try:
        return read_config(file)
    except UserError as error:
        raise UserError(str(error).removeprefix("--config ")) from error


def _assigned(word: str) -> tuple[str, Any]:
    name, equals, text = word.partition("=")
    if not equals:
        raise UserError(f"--set {word}: NAME=VALUE")
    try:
        return name, yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"--set {word}: not valid YAML") from error


def _parser() -> argparse.ArgumentParser:
    parser = PlainParser(
        prog="compret experiment", description="Run what is missing of a matrix of runs, each a fit and a test.",
        epilog="Example: compret experiment experiments/paper.yaml --only system=structneg --dry-run",
    )  # fmt: skip
    add = parser.add_argument
    add("file", help="the matrix: a file, or the name of a shipped one; compret ls lists them")
    add("--only", nargs="+", default=[], metavar="GLOB", help="runs by name, or AXIS=GLOB; with what they build on")
    add("--dry-run", action="store_true", help="say what is done and what is missing, with the commands; run nothing")
    add("--set", nargs="+", default=[], metavar="NAME=VALUE", help="in place of the file's own values")
    add("--root", type=Path, default=Path(), help="where logs and checkpoints go; here if not given")
    add("--jobs", type=_count, default=1, metavar="N", help="how many runs at a time, on this machine")
    add("--reuse", action="store_true", help="take what is done as it is, whatever has changed since")
    add("--executor", choices=("local", "slurm"), default="local", help="this machine, or jobs of SLURM by submitit")
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: a number of runs from 1")
    return int(text)
