"""The parser of fit, validate, test and predict: its configs by name, and a wrong value told in one line."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NoReturn

from jsonargparse import ActionConfigFile, Namespace
from lightning.pytorch.cli import LightningArgumentParser

from compret.config_files import find_config
from compret.files import first_line
from compret.types import UserError

_KEY, _REQUIRED, _GOT, _UNION = 'Parser key "', "the following arguments are required: ", ". Got value: ", "- Expected "
_NO_CLASS = ("Expected a dot import path string: ", "Unable to load config ")
"""How jsonargparse begins what it says: its exceptions have no fields that tell the same."""
_LEAST = {
    "checkpoint_every": 1,
    "seed_everything": 0,
    "trainer.accumulate_grad_batches": 1,
    "trainer.gradient_clip_val": 0,
    "trainer.log_every_n_steps": 0,
}
"""Of options that Lightning takes whatever they are."""
_LARGEST_SEED = 2**32 - 1
_LARGEST = 2**63 - 1
"""Of a whole number, which torch and the system take for 64 bits."""


def check_numbers(options: Namespace) -> None:
    """Refuse numbers that make no sense, before anything is built.

    Raises:
        UserError: the first one.
    """
    for option, least in _LEAST.items():
        value = options.get(option)
        if value is not None and not least <= value < math.inf:
            raise UserError(f"--{option} {value}: at least {least}")
    for option, value in options.items():
        if isinstance(value, int) and abs(value) > _LARGEST:
            raise UserError(f"--{option}: a number of {len(str(abs(value)))} digits; at most {_LARGEST}")
    if options.get("seed_everything", 0) > _LARGEST_SEED:
        raise UserError(f"--seed_everything {options['seed_everything']}: at most {_LARGEST_SEED}")


class FindConfig(ActionConfigFile):
    """`--config name.yaml`: a path, a file of ./configs, or one of the configs that compret ships."""

    def __call__(self, parser: Any, cfg: Any, values: Any, option_string: str | None = None) -> None:
        found = str(find_config(values)) if isinstance(values, str) else values
        try:
            super().__call__(parser, cfg, found, option_string)  # type: ignore[no-untyped-call]
        except UserError as error:
            raise UserError(f"--config {values}: {error}") from error


class OneLineParser(LightningArgumentParser):
    """LightningArgumentParser that raises UserError for a wrong option where its base writes the whole usage."""

    def parse_args(self, *args: Any, **options: Any) -> Any:
        try:
            return super().parse_args(*args, **options)
        except (AttributeError, IndexError) as error:  # of argparse or jsonargparse, as at --print_config=--
            raise UserError(f"an option has a value that it cannot take ({first_line(error)})") from error

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        if not self.exit_on_error:
            super().error(message, ex)
        raise UserError(in_one_line(message, ex)) from ex


def in_one_line(message: str, error: BaseException | None) -> str:
    """The option that an error of jsonargparse is about, its value, and what the innermost cause says of it.

    Args:
        message: its own words, taken where there is no cause.
    """
    chain = [str(cause) for cause in _causes(error)] or [message]
    keys = [text.removeprefix(_KEY).partition('"')[0] for text in chain if text.startswith(_KEY)]
    path = list(dict.fromkeys(keys))
    leaf = chain[-1].splitlines()[-1].rpartition('": ')[2] if chain[-1].startswith(_KEY) else chain[-1]
    if leaf.startswith(_REQUIRED):
        return f"--{'.'.join([*path, leaf.removeprefix(_REQUIRED)])}: must be given"
    for opening in _NO_CLASS:
        if leaf.startswith(opening):
            value = leaf.removeprefix(opening).strip("'\"")
            return f"--{'.'.join(path)} {value}: no such class or file"
    reason, _, value = leaf.partition(_GOT)
    reasons = _of_union(chain[-2]) if len(chain) > 1 and reason.startswith("Expected ") else []
    said = "; ".join(reasons or [_plain(reason)])
    return f"--{'.'.join(path)}{f' {value}' if value else ''}: {said}" if path else said


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _of_union(text: str) -> list[str]:
    """What each type of a union expects, None left out; nothing where one of them says more than that."""
    errors = [line.strip() for line in text.partition("Errors:\n")[2].splitlines() if line.startswith("  - ")]
    if not all(line.startswith(_UNION) for line in errors):
        return []
    return [_plain(line.removeprefix("- ")) for line in errors if "NoneType" not in line]


def _plain(reason: str) -> str:
    """What a type's check expects, in words: `Expected a <class 'float'>` becomes `expected a float`."""
    if not reason.startswith(("Expected a ", "Expected an ")):
        return " ".join(reason.split())
    kind = reason.partition(_GOT)[0].split(maxsplit=2)[2].removeprefix("typing.")
    if kind.startswith("Literal["):
        return f"expected one of {kind[len('Literal[') : -1]}"
    if kind.startswith("<class '"):
        kind = kind[len("<class '") : -2].rpartition(".")[2]
    article = "an" if kind[0] in "aeiou" else "a"
    return f"expected {article} {kind}{', as in [a,b]' if kind == 'list' else ''}"
