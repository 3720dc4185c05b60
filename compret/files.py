"""Files that come from elsewhere, read as data: bounded JSON, typed settings, names that stay in their folder."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from compret.types import UserError

MAX_JSON = 4 << 20
"""Bytes of a settings file; real ones have a few thousand."""
_MAX_TOKENIZER = 1 << 28
_DEEPEST = 64
_MOST = 1e300


def local_path(source: str) -> Path:
    """The path that a user's text names, whether or not anything is there.

    Raises:
        UserError: nothing can have that name, or it may not be looked at.
    """
    try:
        path = Path(source).expanduser()
        path.exists()
    except (OSError, RuntimeError) as error:
        shown = source if len(source) < 100 else f"{source[:60]}… ({len(source)} characters)"
        raise UserError(f"{shown}: cannot be opened ({getattr(error, 'strerror', None) or error})") from error
    return path


def read_json(path: Path, limit: int = MAX_JSON) -> Any:
    """A JSON file's content; NaN and infinity are no JSON.

    Raises:
        UserError: it is not a plain file, too large, too deep, or no JSON.
    """
    checked_file(path, limit)
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise UserError(f"{path}: nested too deep; give the file as it was written") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({first_line(error)})") from error
    if _depth(content) > _DEEPEST:
        raise UserError(f"{path}: nested more than {_DEEPEST} deep; give the file as it was written")
    return content


def checked_file(path: Path, limit: int | None = None) -> Path:
    """A plain file of at most so many bytes: no pipe or device, on which a reader would wait for ever."""
    try:
        if not path.is_file():
            raise UserError(f"{path}: {'not a plain file' if path.exists() else 'no such file'}")
        size = path.stat().st_size
    except OSError as error:  # a name too long, a folder that may not be entered
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    if limit is not None and size > limit:
        raise UserError(f"{path}: {size:,} bytes, where at most {limit:,} are read")
    return path


def read_json_lines(path: Path) -> Iterator[Settings]:
    """The mappings of a JSON Lines file, one a line; each names its line where it is not as expected.

    Lines end in a line feed: `splitlines` would also cut at characters that texts may hold.

    Raises:
        UserError: it is no plain file, or a line is no JSON mapping.
    """
    checked_file(path)
    with reading(f"{path}: cannot be read"):
        lines = path.read_text(encoding="utf-8").split("\n")
    for number, line in enumerate(lines, 1):
        if line:
            with reading(f"{path}: line {number}: not valid JSON"):
                content = json.loads(line, parse_constant=_refuse_constant)
            yield Settings(f"{path}: line {number}", content)


def cache_folder() -> Path:
    """What is made once on a machine: COMPRET_CACHE, else XDG_CACHE_HOME/compret, else ~/.cache/compret."""
    if os.environ.get("COMPRET_CACHE"):
        return local_path(os.environ["COMPRET_CACHE"])
    return local_path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "compret"


def inside(folder: Path, name: str) -> Path:
    """The file or folder of a name that a file in `folder` gives; links of the hub's cache stay in the cache.

    Raises:
        UserError: the name is absolute, leads out of the folder, by `..` or by a link, or is none that a file can have.
    """
    path = folder / name
    if "\0" in name or Path(name).is_absolute() or ".." in Path(name).parts or not _is_within(path, folder):
        raise UserError(f"{folder}: '{name}' leads out of the folder, where nothing is read; copy the file there")
    try:
        path.exists()
    except OSError as error:
        raise UserError(f"{folder}: '{name[:60]}…' is no name of a file ({error.strerror})") from error
    return path


def check_links(folder: Path) -> None:
    """Refuse a model folder of which a file, or a file one folder deeper, is a link to somewhere else."""
    for path in [*folder.glob("*"), *folder.glob("*/*")]:
        if path.is_symlink():
            inside(folder, str(path.relative_to(folder)))
        if path.suffix == ".json":
            checked_file(path, _MAX_TOKENIZER if path.name in ("tokenizer.json", "vocab.json") else MAX_JSON)


def _is_within(path: Path, folder: Path) -> bool:
    home = folder.parent.parent if folder.parent.name == "snapshots" else folder
    try:
        return path.resolve().is_relative_to(home.resolve())
    except (OSError, RuntimeError):  # links in a circle
        return False


@contextmanager
def reading(what: object) -> Iterator[None]:
    """Any error of a library that reads a foreign file, as one line that names it; Rust's panics too."""
    try:
        yield
    except UserError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise UserError(f"{what} ({first_line(error)})") from error


def first_line(error: BaseException) -> str:
    """What an error says, in one line of moderate length."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__


@dataclass(frozen=True)
class Settings:
    """A foreign mapping, asked for values of a kind; each that is missing or of another kind is one error.

    Args:
        origin: what the messages name, such as the file.
        content: any value; one that is no mapping is refused.
    """

    origin: str
    content: Any

    def __post_init__(self) -> None:
        if not isinstance(self.content, Mapping) or not all(isinstance(key, str) for key in self.content):
            raise UserError(f"{self.origin}: must hold names and values, not {_shown(self.content)}")

    @classmethod
    def of(cls, path: Path) -> Settings:
        """Those of a JSON file; none where there is no file."""
        return cls(str(path), read_json(path) if path.exists() or path.is_symlink() else {})

    def get(self, key: str, kind: type | tuple[type, ...], what: str, default: Any = ...) -> Any:
        """A value of a kind; null counts as missing. Without a default it must be there."""
        value = self.content.get(key)
        if value is None and default is not ...:
            return default
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise UserError(f"{self.origin}: '{key}' must be {what}, not {_shown(value)}")
        return value

    def text(self, key: str, default: Any = ...) -> Any:
        value = self.get(key, str, "a text", default)
        if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise UserError(f"{self.origin}: '{key}' holds half a letter (a lone surrogate): {_shown(value)}")
        return value

    def flag(self, key: str, default: Any = ...) -> Any:
        return self.get(key, bool, "true or false", default)

    def whole(self, key: str, least: int, default: Any = ...) -> Any:
        value = self.get(key, (int, float), "a whole number", default)
        if self.content.get(key) is None:
            return value
        if (isinstance(value, float) and not value.is_integer()) or not least <= value < _MOST:
            raise UserError(f"{self.origin}: '{key}' must be a whole number from {least}, not {_shown(value)}")
        return int(value)

    def number(self, key: str, default: Any = ..., above: float = -math.inf) -> Any:
        """A finite number greater than `above`."""
        value = self.get(key, (int, float), "a number", default)
        if self.content.get(key) is None:
            return value
        if not max(above, -_MOST) < value < _MOST:
            limit = "finite" if above == -math.inf else f"finite and above {above:g}"
            raise UserError(f"{self.origin}: '{key}' must be {limit}, not {_shown(value)}")
        return float(value)

    def part(self, key: str, default: Any = ...) -> Any:
        """The settings within."""
        value = self.content.get(key)
        return default if value is None and default is not ... else Settings(f"{self.origin}: '{key}'", value)


def check_fields(stored: Settings, kind: type) -> None:
    """Refuse a value that is not of the type which the field of its name has in a dataclass; any may be missing.

    Raises:
        UserError: the first one.
    """
    for name, hint in get_type_hints(kind).items():
        kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
        _check_value(stored, name, [each for each in kinds if each is not NoneType])


def _check_value(stored: Settings, name: str, kinds: list[Any]) -> None:
    first, plain = kinds[0], {str: stored.text, bool: stored.flag, float: stored.number}
    if get_origin(first) is Literal:
        if stored.text(name, None) not in (None, *get_args(first)):
            raise UserError(f"{stored.origin}: '{name}' must be one of {', '.join(get_args(first))}")
    elif is_dataclass(first):
        if inner := stored.part(name, None):
            check_fields(inner, first)  # type: ignore[arg-type]
    elif first is int:
        stored.whole(name, 1, None)
    elif len(kinds) == 1 and first in plain:
        plain[first](name, None)
    else:
        texts = stored.get(name, tuple(get_origin(each) or each for each in kinds), "a list of texts", None)
        if not all(isinstance(text, str) for text in texts or ()):
            raise UserError(f"{stored.origin}: '{name}' must hold texts alone")


def _shown(value: object) -> str:
    return {dict: "a mapping", list: "a list", type(None): "missing"}.get(type(value), repr(value)[:60])


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _depth(content: Any) -> int:
    """How deep lists and mappings stand in one another, level by level."""
    level, depth = [content], 0
    while level := [
        inner
        for value in level
        if isinstance(value, dict | list)
        for inner in (value.values() if isinstance(value, dict) else value)
        if isinstance(inner, dict | list)
    ]:
        depth += 1
    return depth
