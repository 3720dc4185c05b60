"""What jsonargparse says of a wrong option, in one line: the option, what is wrong with it, what was meant."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from importlib import import_module
from typing import NoReturn

from jsonargparse import ArgumentParser, Namespace
from lightning.pytorch.cli import LightningArgumentParser

from compret.types import UserError

_UNKNOWN = (
    r"unrecognized arguments: --([^\s=]+)",
    r"Subcommand '\w+' does not accept option '([^']+)'",
    r"Group '([^']+)' does not accept option '([^']+)'",
    r"Option '([^']+)' is not accepted",
)
_FRAME = (
    r"Parser key|Does not validate|Subtypes:|Errors:|Given value|Problem with given class_path|Expected a .*NoneType"
)
_WORDS = (
    (r"<class '(?:\w+\.)*(\w+)'>", r"\1"),
    (r"(?:typing\.)?Literal\[(.*)\]", r"one of \1"),
    (r"Expected an? one of", "expected one of"),
    (r"Expected an? (?:path but|dot import path string).*", "no such class or file"),
    (r"Unable to load config.*", "no such class or file"),
    (r"\. Got value:.*", ""),
    (r"^Expected", "expected"),
    (r"^expected a (?=[aeiou])", "expected an "),
    (r"expected an? list$", "expected a list, as in [a,b]"),
)
"""What jsonargparse writes for programmers -> what it means to a user."""


_LEAST = {
    "checkpoint_every": 1,
    "seed_everything": 0,
    "trainer.accumulate_grad_batches": 1,
    "trainer.gradient_clip_val": 0,
    "trainer.log_every_n_steps": 0,
}
"""Of options that Lightning takes whatever they are."""
_LARGEST_SEED = 2**32 - 1


def check_numbers(options: Namespace) -> None:
    """Refuse numbers that make no sense, before anything is built.

    Raises:
        UserError: the first one.
    """
    for option, least in _LEAST.items():
        value = options.get(option)
        if value is not None and not least <= value < math.inf:
            raise UserError(f"--{option} {value}: at least {least}")
    if options.get("seed_everything", 0) > _LARGEST_SEED:
        raise UserError(f"--seed_everything {options['seed_everything']}: at most {_LARGEST_SEED}")


class OneLineParser(LightningArgumentParser):
    """LightningArgumentParser that raises UserError for a wrong option where its base writes the whole usage."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        if not self.exit_on_error:
            super().error(message, ex)
        raise UserError(in_one_line(message, getattr(ex, "subcommand_parser", None) or self)) from ex


def in_one_line(message: str, parser: ArgumentParser) -> str:
    """The option that a message of jsonargparse is about and what is wrong with it; its own words if unclear."""
    path = list(dict.fromkeys(re.findall(r'Parser key "([^"]+)"', message)))
    if unknown := next(filter(None, (re.search(pattern, message) for pattern in _UNKNOWN)), None):
        return _unknown(path, ".".join(unknown.groups()), message, parser)
    if missing := re.search(r"the following arguments are required: (\S+)", message):
        return f"--{'.'.join([*path, missing[1]])}: must be given"
    lines = (_reworded(line) for line in message.splitlines() if not re.search(_FRAME, line))
    reasons = "; ".join(dict.fromkeys(filter(None, lines))) or "not accepted"
    return f"--{'.'.join(path)}{_given(message)}: {reasons}" if path else reasons


def _given(message: str) -> str:
    """The value that the user gave, behind a space; of nested messages the innermost names it first."""
    given = re.search(
        r"(?:Given value|Got value): (?:NestedArg\(key=.*, val='?)?(.*?)(?:'?\))?$", message, re.MULTILINE
    )
    return f" {given[1]}" if given else ""


def _unknown(path: list[str], name: str, message: str, parser: ArgumentParser) -> str:
    """That there is no such option, and what was meant: of the class that was to take it, or of the command."""
    owner = re.findall(r"Problem with given class_path '([^']+)'", message)
    known = list(_options_of(owner[-1]) if owner else parser.get_defaults().keys())
    place = f" of {owner[-1].rpartition('.')[2]}" if owner else ""
    if close := difflib.get_close_matches(name, known, n=1):
        meant = f"did you mean --{'.'.join([*path, *close])}?"
    elif owner:
        meant = f"it has {', '.join(known)}" if known else "it has none"
    else:
        meant = f"{parser.prog.replace(' [options]', '')} --help lists them"
    return f"--{'.'.join([*path, name])}: no such option{place}; {meant}"


def _options_of(class_path: str) -> Iterable[str]:
    module, _, name = class_path.rpartition(".")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(getattr(import_module(module), name))
    return parser.get_defaults().keys()


def _reworded(line: str) -> str:
    line = line.strip().removeprefix("- ")
    for pattern, words in _WORDS:
        line = re.sub(pattern, words, line)
    return line
