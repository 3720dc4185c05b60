"""Config files: found by name, read as data of a bounded size, and put before what is typed, which wins over them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml
from jsonargparse import ActionConfigFile

from compret.recipes import shipped_configs
from compret.types import UserError

_BYTES, _NODES, _DEEPEST = 1 << 20, 100_000, 50
"""The largest config: its file, its values with every alias written out, and its levels."""
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class FindConfig(ActionConfigFile):
    """`--config name.yaml`: a path, a file of ./configs, or one of the configs that compret ships."""

    def __call__(self, parser: Any, cfg: Any, values: Any, option_string: str | None = None) -> None:
        found = str(find_config(values)) if isinstance(values, str) else values
        try:
            super().__call__(parser, cfg, found, option_string)  # type: ignore[no-untyped-call]
        except UserError as error:
            raise UserError(f"--config {values}: {error}") from error


def find_config(name: str) -> Path:
    """The file that a config's name means.

    Raises:
        UserError: there is none; the message lists the shipped ones.
    """
    folders = [Path(), Path("configs"), *shipped_configs()]
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    root = shipped_configs()[0]
    known = sorted(str(path.relative_to(root)) for path in root.rglob("*.yaml"))
    raise UserError(f"--config {name}: no such file here, in ./configs or among the shipped {', '.join(known)}")


def read_config(name: str) -> dict[str, Any]:
    """What a config holds, by option.

    Raises:
        UserError: there is no such file, or it is no mapping in YAML of at most a megabyte and 100,000 values.
    """
    file = find_config(name)
    try:
        if file.stat().st_size > _BYTES:
            raise UserError(f"--config {name}: {file.stat().st_size:,} bytes; a config has at most {_BYTES:,}")
        text = file.read_text(encoding="utf-8")
        _check_size(text, name)
        content = yaml.load(text, Loader=_LOADER)
    except OSError as error:
        raise UserError(f"--config {name}: cannot be read ({error.strerror})") from error
    except (UnicodeDecodeError, yaml.reader.ReaderError) as error:
        raise UserError(f"--config {name}: not a text file in UTF-8, as YAML is") from error
    except yaml.YAMLError as error:
        raise UserError(f"--config {name}: not valid YAML ({_where(error)})") from error
    if not isinstance(content, dict):
        kind = {list: "a list", type(None): "nothing"}.get(type(content), f"a {type(content).__name__}")
        raise UserError(f"--config {name}: holds {kind}; a config is options and their values, as `name: mine`")
    return content


def _check_size(text: str, name: str) -> None:
    """Refuse what is small as a file and would be large or deep as values, before values are made of it."""
    sizes: dict[str, int] = {}
    opened: list[tuple[str | None, int]] = []
    nodes = 0
    for event in yaml.parse(text, Loader=_LOADER):
        begun, anchor = nodes, getattr(event, "anchor", None)
        nodes += sizes.get(anchor or "", _NODES) if isinstance(event, yaml.AliasEvent) else 1
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append((anchor, begun))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, begun = opened.pop()
        if anchor and not isinstance(event, yaml.AliasEvent | yaml.CollectionStartEvent):
            sizes[anchor] = nodes - begun
        if nodes > _NODES or len(opened) > _DEEPEST:
            raise UserError(f"--config {name}: more than {_NODES:,} values, or deeper than {_DEEPEST} levels")


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    line = f"line {mark.line + 1}: " if mark else ""
    return f"{line}{getattr(error, 'problem', None) or 'cannot be parsed'}"


class GivenFirst:
    """What must be known of a command line before its options can be read: its configs, and options that tell others.

    Args:
        arguments: the command and its options.

    Raises:
        UserError: a config cannot be read, or an option lacks its value.
    """

    def __init__(self, arguments: Sequence[str], options: Sequence[str]) -> None:
        parser = _Silent(add_help=False, allow_abbrev=False)
        parser.add_argument("-c", "--config", action="append", default=[])
        for option in options:
            parser.add_argument(f"--{option}", dest=option)
        known, _ = parser.parse_known_args(list(arguments[1:]))
        contents = [read_config(name) for name in known.config]
        found = {option: _last(getattr(known, option), contents, option) for option in options}
        self.values = {option: None if value in (None, "null") else str(value) for option, value in found.items()}
        self.arguments = list(_configs_first(arguments, known.config))

    def __getitem__(self, option: str) -> str | None:
        return self.values[option]


class _Silent(argparse.ArgumentParser):
    """An argparse parser whose errors are UserErrors."""

    def error(self, message: str) -> NoReturn:
        raise UserError(message.removeprefix("argument ").replace("-c/--config", "--config"))


def _configs_first(arguments: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    """The same command line with the configs in front, so that whatever is typed overrides them (law 9)."""
    parser = _Silent(add_help=False, allow_abbrev=False)
    parser.add_argument("-c", "--config", action="append")
    yield from arguments[:1]
    for name in names:
        yield from ("--config", name)
    yield from parser.parse_known_args(list(arguments[1:]))[1]


def _last(typed: Any, contents: Sequence[Mapping[str, Any]], option: str) -> Any:
    """An option as it was typed, else as the last config that names it has it."""
    if typed is not None:
        return typed
    found = None
    for content in contents:
        value: Any = content
        for key in option.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        found = found if value is None else value
    return found
