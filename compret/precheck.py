"""Mistakes of a command line that are told before torch is imported, in a second; what it cannot judge it lets pass."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from compret.commands import COMMANDS, DEFAULT_MODEL, TRAINER
from compret.config_files import GivenFirst, as_tree, value_at
from compret.files import local_path
from compret.folders import check_name, meant_checkpoint
from compret.signatures import Signature, signature
from compret.types import UserError

_FILES = ("files", "validation_files")
_SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
_PREFIXES = ("reworded:", "perturb:")
_LOGGERS = {"WandbLogger": "wandb", "MLFlowLogger": "mlflow", "CometLogger": "comet_ml", "NeptuneLogger": "neptune"}
_OF_THE_PARSER = ("class_path", "dict_kwargs", "help")


def precheck(arguments: Sequence[str]) -> None:
    """Check configs, names of options, files and folders of fit, validate, test or predict.

    Raises:
        UserError: the first mistake.
    """
    given, command = GivenFirst(arguments, ("ckpt_path", "name", "trainer.default_root_dir")), arguments[0]
    check_options(given, command)
    if "print_config" in dict(given.typed):
        return
    check_name(given["name"] or command)
    root = Path(given["trainer.default_root_dir"] or ".")
    path = meant_checkpoint(given["ckpt_path"], root, given["name"] or command)
    if path is not None and not local_path(str(path)).exists():
        raise UserError(f"--ckpt_path {path}: no such file")
    check_inputs(given)


def check_inputs(given: GivenFirst) -> None:
    """Refuse loggers that are not installed, and files that are not there.

    Raises:
        UserError: the first one.
    """
    options = given.tree()
    _check_loggers(value_at(options, ("trainer", "logger")))
    _check_files(options.get("data"))


def check_options(given: GivenFirst, command: str) -> None:
    """Refuse options that neither the command nor the class that is to take them has.

    Raises:
        UserError: the first one, and what was meant.
    """
    known = _Classes(command, given["ckpt_path"] is not None)
    for file, content in given.contents:
        if "config" in content:
            raise UserError(f"--config {file}: names a config itself; give each with a --config of its own")
        try:
            known.check(as_tree(content))
        except UserError as error:
            raise UserError(f"--config {file}: {error}") from error
    known.check(given.typed_tree())


class _Classes:
    """The classes that a command line names one after the other, and whether they have the options it gives them."""

    def __init__(self, command: str, has_checkpoint: bool) -> None:
        self.command = command
        self.named: dict[str, str] = {"trainer": TRAINER, "data": COMMANDS[command].data}
        if not has_checkpoint:  # else the model is that of the checkpoint, which only torch can read
            self.named["model"] = DEFAULT_MODEL

    def check(self, tree: Mapping[str, Any]) -> None:
        own = COMMANDS[self.command].options
        for name, value in tree.items():
            if name in ("model", "data", "trainer"):
                if isinstance(value, list):
                    raise UserError(f"--{name} {value}: expected a class or its options, not a list")
                self._descend(name, value, None)
            elif name not in own:
                raise no_such_option(_whole(name, value), own, None, self.command)

    def _descend(self, path: str, value: Any, takes: Signature | None) -> None:
        """Check the options of one class; a list's or a plain value's are left to the parser."""
        if isinstance(value, str) and (takes is not None or "." not in path):
            value = {"class_path": value}
        if takes is not None and isinstance(value, list):
            raise UserError(f"--{path} {value}: expected the options of {takes.name}, not a list")
        if not isinstance(value, Mapping):
            return
        if isinstance(value.get("class_path"), str):
            self.named = {key: name for key, name in self.named.items() if not key.startswith(f"{path}.")}
            self.named[path] = value["class_path"]
        takes = signature(self.named[path]) if path in self.named else takes
        if takes is None:
            return
        for name, below in value.items():
            if name in _OF_THE_PARSER:
                continue
            option = takes[name.removesuffix("+")]
            if option is None:
                known = [known.name for known in takes.options]
                raise no_such_option(f"{path}.{name}", known, takes.name, self.command)
            if below is None and not option.takes_none:
                raise UserError(f"--{path}.{name} null: expected {option.type}")
            self._descend(f"{path}.{name}", below, takes.class_of(option))


def _whole(name: str, value: Any) -> str:
    """An option's whole name, as it was typed."""
    while isinstance(value, Mapping) and value:
        below, value = next(iter(value.items()))
        name = f"{name}.{below}"
    return name


def no_such_option(path: str, known: Iterable[str], owner: str | None, command: str) -> UserError:
    """That there is no such option, and what was meant.

    Args:
        known: the options that its owner has.
        owner: the class that was to take it; None for the command itself.
    """
    prefix, _, name = path.rpartition(".") if owner else ("", "", path)
    known = list(known)
    if close := difflib.get_close_matches(name, known, n=1):
        meant = f"did you mean --{'.'.join(filter(None, [prefix, *close]))}?"
    elif owner and owner != "Trainer":
        meant = f"it has {', '.join(known)}" if known else "it has none"
    else:
        meant = f"compret {command} --help{' trainer' if owner else ''} lists them"
    return UserError(f"--{path}: no such option{f' of {owner}' if owner else ''}; {meant}")


def _check_files(data: Any) -> None:
    """Refuse files that are not there, as their readers do."""
    for file in _named_files(data):
        path = local_path(file)
        is_a_path = path.suffix in _SUFFIXES or path.is_absolute() or file.startswith((".", "~"))
        if is_a_path and not path.exists():
            raise UserError(f"{file}: no such file")


def _named_files(data: Any) -> Iterator[str]:
    for option in _FILES:
        found = value_at(data, (option,))
        for file in found if isinstance(found, list) else ():
            for prefix in _PREFIXES:
                file = str(file).removeprefix(prefix)
            yield str(file)
    if isinstance(file := value_at(data, ("file",)), str):
        yield file if local_path(file).exists() else str(local_path(file).absolute())


def _check_loggers(given: Any) -> None:
    """Refuse a logger whose package is not installed, with what to install."""
    for logger in given if isinstance(given, list) else [given]:
        path = logger.get("class_path") if isinstance(logger, Mapping) else logger
        name = str(path).rpartition(".")[2]
        package = _LOGGERS.get(name)
        if package is not None and importlib.util.find_spec(package) is None:
            pip = {"comet_ml": "comet-ml"}.get(package, package)
            raise UserError(f"--trainer.logger {name}: needs a package that is not installed: pip install {pip}")
