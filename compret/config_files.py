"""Config files: found by name, read as data of a bounded size, and put before what is typed, which wins over them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from compret.recipes import shipped_configs
from compret.types import UserError

_BYTES, _NODES, _DEEPEST = 1 << 20, 100_000, 50
"""The largest config: its file, its values with every alias written out, and its levels."""
_CLASSES = ("model", "data")
_SWITCHES = ("print_config", "help", "h")
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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
    try:
        file = find_config(name)
        if file.stat().st_size > _BYTES:
            raise UserError(f"--config {name}: {file.stat().st_size:,} bytes; a config has at most {_BYTES:,}")
        text = file.read_text(encoding="utf-8")
        _check_size(text, name)
        content = yaml.load(text, Loader=_LOADER)
    except OSError as error:
        raise UserError(f"--config {name[:200]}: cannot be read ({error.strerror})") from error
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
        if isinstance(event, yaml.ScalarEvent):
            _check_text(f"--config {name}", event.value)
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append((anchor, begun))
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, begun = opened.pop()
        if anchor and not isinstance(event, yaml.AliasEvent | yaml.CollectionStartEvent):
            sizes[anchor] = nodes - begun
        if nodes > _NODES or len(opened) > _DEEPEST:
            raise UserError(f"--config {name}: more than {_NODES:,} values, or deeper than {_DEEPEST} levels")


def _check_text(origin: str, text: str) -> None:
    """Refuse what no option holds: the end of a text in C, and bytes of a command line that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{origin}: {text[:60]} is not UTF-8") from error
    if "\0" in text or ("\\" in text and "\0" in str(_value(text))):
        raise UserError(f"{origin}: {text[:60]} holds a null byte")


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    line = f"line {mark.line + 1}: " if mark else ""
    return f"{line}{getattr(error, 'problem', None) or 'cannot be parsed'}"


class GivenFirst:
    """What must be known of a command line before its options can be read: its configs, and what is typed.

    Args:
        arguments: the command and its options.
        options: those whose values are asked for.

    Raises:
        UserError: a config cannot be read, or an option lacks its value.
    """

    def __init__(self, arguments: Sequence[str], options: Sequence[str] = ()) -> None:
        self.command = arguments[0]
        self.words = list(_typed(arguments[1:]))
        """All that is typed, in order, by name; None for the value of a switch."""
        names = [str(value) for name, value in self.words if name == "config"]
        self.typed = [(name, value) for name, value in self.words if name != "config"]
        """The same without the configs."""
        self.contents = [(name, read_config(name)) for name in names]
        for name, value in self.typed:
            _check_text(f"--{name}", value or "")
        """Configs by name, in order."""
        self.values = {option: self._last(option) for option in options}
        configs = [word for name in names for word in ("--config", name)]
        self.arguments = [*arguments[:1], *configs, *_without_configs(arguments[1:])]
        """The same command line with the configs in front, so that whatever is typed overrides them (law 9)."""

    def __getitem__(self, option: str) -> str | None:
        return self.values[option]

    def typed_tree(self) -> dict[str, Any]:
        """What is typed, as a config would have it."""
        tree: dict[str, Any] = {}
        for name, text in self.typed:
            path = [part for part in name.split(".") if part != "init_args"] or [name]
            _put(tree, path, True if text is None else _value(text))
        return tree

    def tree(self) -> dict[str, Any]:
        """Configs and what is typed as one; the later wins. Options of a class stand beside its `class_path`."""
        merged: dict[str, Any] = {}
        for part in (*(as_tree(content) for _, content in self.contents), self.typed_tree()):
            named = {key: {"class_path": part[key]} for key in _CLASSES if isinstance(part.get(key), str)}
            _merge(merged, {**part, **named})
        return merged

    def _last(self, option: str) -> str | None:
        """An option as it was typed last, else as the last config that names it has it."""
        typed = [value for name, value in self.typed if name == option]
        if None in typed:
            raise UserError(f"--{option}: expected one argument")
        found = [value_at(content, option.split(".")) for _, content in self.contents]
        values = typed[-1:] or [value for value in found if value is not None][-1:]
        return str(values[0]) if values and values[0] not in (None, "null") else None


def as_tree(content: Mapping[str, Any]) -> dict[str, Any]:
    """A config with the options of each class beside its `class_path`; lists stay as they are."""
    tree = {name: as_tree(value) if isinstance(value, Mapping) else value for name, value in content.items()}
    below = tree.pop("init_args", None)
    return tree | below if isinstance(below, dict) else tree


def _typed(words: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Name and value of each option."""
    for word, following in zip(words, [*words[1:], "--"], strict=False):
        name, equals, value = word.lstrip("-").partition("=")
        name = "config" if name == "c" else name
        if not _is_option(word):
            continue
        is_given = not equals and name not in _SWITCHES and not _is_option(following)
        if name == "config" and not (equals or is_given):
            raise UserError("--config: expected one argument")
        yield name, value if equals else following if is_given else None


def _is_option(word: str) -> bool:
    return word.startswith("--") or word.split("=")[0] in ("-c", "-h")


def _without_configs(words: Sequence[str]) -> Iterator[str]:
    rest = iter(words)
    for word in rest:
        if word in ("-c", "--config"):
            next(rest, None)
        elif not word.startswith(("-c=", "--config=")):
            yield word


def _value(text: str | None) -> Any:
    """A typed value as YAML has it; the text itself where it is no YAML."""
    try:
        return yaml.load(text, Loader=_LOADER) if text else text
    except yaml.YAMLError:
        return text


def _put(tree: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for part in path[:-1]:
        below = tree.get(part)
        tree[part] = below if isinstance(below, dict) else {"class_path": below} if isinstance(below, str) else {}
        tree = tree[part]
    tree[path[-1]] = as_tree(value) if isinstance(value, Mapping) else value


def _merge(tree: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        if isinstance(value, Mapping) and isinstance(tree.get(name), dict):
            _merge(tree[name], value)
        else:
            tree[name] = dict(value) if isinstance(value, Mapping) else value


def value_at(content: Any, path: Sequence[str]) -> Any:
    """What stands at a place of a tree; None where it ends before."""
    for key in path:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content
