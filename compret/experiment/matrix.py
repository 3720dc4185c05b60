"""A matrix of runs as its YAML has it, expanded: a pure function of the file's content."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from compret.files import Settings
from compret.folders import check_name
from compret.types import UserError

SEED = "seed"
"""The axis over which a system is measured again."""
PLACES = ("fit", "needs")
"""What a text may name in braces beside axes and values: folders of checkpoints, known when a command is made."""
_KEYS = ("name", "values", "report", "slurm", "matrix")
_BLOCK = ("axes", "exclude", "run", "needs", "fit", "test")
_OVERLAY = ("needs", "fit", "test")
_REPORT = ("baseline", "test", "correction", "per_query")
_NAMED = re.compile(r"\{(\w+)\}")
_PLAIN = (str, int, float, bool)


@dataclass(frozen=True)
class Step:
    """One command of a run, before its folders are known."""

    command: str
    """fit or test."""
    configs: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    """Option by its dotted name -> value."""

    def over(self, more: Settings | None) -> Step:
        """This step with an overlay: its configs behind these, its options in place of these."""
        if more is None:
            return self
        given = dict(more.content)
        configs = given.pop("config", [])
        configs = [configs] if isinstance(configs, str) else configs
        if not (isinstance(configs, list) and all(isinstance(config, str) for config in configs)):
            raise UserError(f"{more.origin}: 'config' must be a config or a list of them")
        return replace(self, configs=(*self.configs, *configs), options={**self.options, **_dotted(given)})


@dataclass(frozen=True)
class Run:
    """A cell of the matrix: what is fitted, if anything, and then tested, if anything."""

    name: str
    axes: Mapping[str, Any]
    """Axis -> value."""
    steps: Mapping[str, Step]
    """Command -> step, in the order in which they run."""
    needs: str | None = None
    """The run whose fit must be done first."""

    @property
    def system(self) -> str:
        """The run's name without its seed: runs of one system differ by their seeds alone."""
        rest = [str(value) for axis, value in self.axes.items() if axis != SEED]
        return "-".join(rest) or self.name


@dataclass(frozen=True)
class Experiment:
    """All runs of a matrix, each of which comes behind what it needs."""

    name: str
    runs: tuple[Run, ...]
    report: Mapping[str, Any]
    """What compares the runs: baseline, test, correction, per_query."""
    slurm: Mapping[str, Any]
    """Parameters of the jobs, as submitit has them."""


def expand(content: Any, origin: str, values: Mapping[str, Any] | None = None) -> Experiment:
    """Expand a matrix.

    Args:
        content: what the YAML file holds.
        origin: what the messages name, such as the file.
        values: in place of the file's own `values`.

    Raises:
        UserError: a key, an axis or a name that there is not, a wrong value, no run, or two runs of one name.
    """
    given = _settings(origin, content, _KEYS)
    name = given.text("name")
    check_name(name)
    names = _values(given.part("values", Settings(origin, {})), values or {})
    matrix = given.get("matrix", (list, dict), "a list of blocks")
    blocks = matrix if isinstance(matrix, list) else [matrix]
    named = [f"{origin}: 'matrix'" if len(blocks) == 1 else f"{origin}: block {i + 1}" for i in range(len(blocks))]
    runs = [run for where, b in zip(named, blocks, strict=True) for run in _runs(where, b, names)]
    report = given.part("report", Settings(origin, {}))
    _check_report(_settings(report.origin, report.content, _REPORT), runs)
    slurm = given.part("slurm", Settings(origin, {})).content
    return Experiment(name, tuple(_in_order(origin, runs)), report.content, slurm)


def _values(own: Settings, others: Mapping[str, Any]) -> dict[str, Any]:
    """The file's values, or others in their place; a text may name those above it."""
    for unknown in others.keys() - own.content.keys():
        raise UserError(f"--set {unknown}: {_no(unknown, own.content, 'value')}")
    names: dict[str, Any] = {}
    for name, value in own.content.items():
        names[name] = filled(others.get(name, value), names, own.origin)
    return names


def _runs(origin: str, block: Any, values: Mapping[str, Any]) -> Iterator[Run]:
    given = _settings(origin, block, _BLOCK)
    axes = {axis: _axis(given.part("axes"), axis) for axis in given.part("axes").content}
    for axis in axes.keys() & {*values, *PLACES}:
        raise UserError(f"{origin}: axis '{axis}' has the name of a value or of a place; give it another")
    excluded = [_exclusion(given, one, axes) for one in given.get("exclude", list, "a list", [])]
    for cell in itertools.product(*(found.items() for found in axes.values())):
        place = dict(zip(axes, (value for value, _ in cell), strict=True))
        if any(all(place[axis] in among for axis, among in one.items()) for one in excluded):
            continue
        yield _run(given, place, [overlay for _, overlay in cell if overlay], values)


def _axis(axes: Settings, axis: str) -> dict[Any, Settings | None]:
    """Value -> what it adds to a run."""
    values = axes.get(axis, (list, dict), "a list of values, or values and what each adds")
    where = f"{axes.origin}: '{axis}'"
    if wrong := [value for value in values if not isinstance(value, _PLAIN)]:
        raise UserError(f"{where}: {wrong[0]!r} is no plain value")
    if len({*map(str, values)}) < len(values):
        raise UserError(f"{where}: has a value twice")
    added = values if isinstance(values, dict) else dict.fromkeys(values)
    return {v: None if more is None else _settings(f"{where}: '{v}'", more, _OVERLAY) for v, more in added.items()}


def _exclusion(given: Settings, one: Any, axes: Mapping[str, Any]) -> dict[str, list[Any]]:
    where = f"{given.origin}: 'exclude'"
    found = {
        axis: value if isinstance(value, list) else [value] for axis, value in Settings(where, one).content.items()
    }
    for axis, among in found.items():
        if axis not in axes:
            raise UserError(f"{where}: '{axis}': {_no(axis, axes, 'axis')}")
        for value in among:
            if value not in axes[axis]:
                raise UserError(f"{where}: axis '{axis}' has no value {value!r}")
    return found


def _run(block: Settings, place: Mapping[str, Any], overlays: Sequence[Settings], values: Mapping[str, Any]) -> Run:
    """One cell: the block's steps, then what each axis' value adds, the later over the earlier."""
    names = {**values, **place}
    steps = {command: step for command in ("fit", "test") if (step := _step(command, block, overlays, names))}
    if not steps:
        raise UserError(f"{block.origin}: neither fit nor test")
    name = filled(block.text("run", "-".join(f"{{{axis}}}" for axis in place)), names, block.origin)
    check_name(str(name))
    if "/" in str(name) or str(name).startswith("."):
        raise UserError(f"{block.origin}: run '{name}': a name without / that begins with no dot")
    needs = next((o.content["needs"] for o in [*reversed(overlays), block] if o.content.get("needs")), None)
    return Run(str(name), dict(place), steps, None if needs is None else str(filled(needs, names, block.origin)))


def _step(command: str, block: Settings, overlays: Sequence[Settings], names: Mapping[str, Any]) -> Step | None:
    """A step with all that its cell adds; none where the last to say anything says null."""
    step: Step | None = None
    for origin in (block, *overlays):
        if command in origin.content:
            more = origin.part(command, None)
            step = None if more is None else (step or Step(command)).over(more)
    if step is None:
        return None
    configs = tuple(str(filled(config, names, block.origin)) for config in step.configs)
    return replace(step, configs=configs, options={k: filled(v, names, block.origin) for k, v in step.options.items()})


def filled(value: Any, names: Mapping[str, Any], origin: str) -> Any:
    """A value with what its texts name in braces; a text that is one name alone becomes that value, as a number.

    Raises:
        UserError: there is no such name.
    """
    if isinstance(value, list):
        return [filled(one, names, origin) for one in value]
    if isinstance(value, Mapping):
        return {key: filled(one, names, origin) for key, one in value.items()}
    if not isinstance(value, str):
        return value
    for name in _NAMED.findall(value):
        if name not in names and name not in PLACES:
            raise UserError(f"{origin}: {{{name}}}: {_no(name, [*names, *PLACES], 'axis or value')}")
    whole = _NAMED.fullmatch(value)
    if whole and whole[1] in names:
        return names[whole[1]]
    return _NAMED.sub(lambda found: str(names.get(found[1], found[0])), value)


def _dotted(options: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Options by their dotted names; a class with its options stays one value."""
    found: dict[str, Any] = {}
    for name, value in options.items():
        if isinstance(value, Mapping) and "class_path" not in value:
            found |= _dotted(value, f"{above}{name}.")
        else:
            found[f"{above}{name}"] = value
    return found


def _in_order(origin: str, runs: Sequence[Run]) -> list[Run]:
    """The runs, each behind the one that it needs."""
    by_name: dict[str, Run] = {}
    for run in runs:
        if by_name.setdefault(run.name, run) is not run:
            raise UserError(f"{origin}: two runs are called '{run.name}'; give 'run' with all axes in it")
    if not by_name:
        raise UserError(f"{origin}: no run; each axis needs a value, and 'exclude' must leave some")
    ordered: dict[str, Run] = {}
    for run in runs:
        chain = [run]
        while chain[-1].needs is not None:
            needed = by_name.get(chain[-1].needs)
            if needed is None or "fit" not in needed.steps:
                raise UserError(
                    f"{origin}: run '{chain[-1].name}' needs '{chain[-1].needs}', which is no run with a fit"
                )
            if needed in chain:
                raise UserError(f"{origin}: run '{run.name}' needs itself")
            chain.append(needed)
        for one in reversed(chain):
            ordered.setdefault(one.name, one)
    return list(ordered.values())


def _check_report(report: Settings, runs: Sequence[Run]) -> None:
    """The baseline is a value of an axis, by which runs are told apart."""
    baseline = report.get("baseline", _PLAIN, "a value of an axis", None)
    known = {str(value) for run in runs for value in run.axes.values()}
    if baseline is not None and str(baseline) not in known:
        raise UserError(f"{report.origin}: 'baseline': {_no(str(baseline), known, 'value')}")


def _settings(origin: str, content: Any, known: Sequence[str]) -> Settings:
    """A mapping of known keys."""
    given = Settings(origin, content)
    for key in given.content:
        if key not in known:
            raise UserError(f"{origin}: '{key}': {_no(key, known, 'key')}")
    return given


def _no(name: str, known: Any, what: str) -> str:
    """That there is no such name, and what was meant."""
    close = difflib.get_close_matches(name, [*map(str, known)], n=1)
    meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(map(str, known)) or 'none'}"
    return f"no such {what}; {meant}"
