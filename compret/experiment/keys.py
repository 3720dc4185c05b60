"""What a run's numbers follow from, as hashes: its config, compret's code, its data, and the fit that it builds on."""

from __future__ import annotations

import hashlib
import json
import platform
import sysconfig
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import xxhash

import compret
from compret.config_files import GivenFirst
from compret.files import local_path

Key = Mapping[str, str]
"""config, code, data, and needs where a step builds on a fit: a run with another key is stale."""
_DATA = ("files", "validation_files", "source", "file", "backbone", "encoder")
"""Options that name files, folders or embedded data, wherever they stand."""
_PREFIXES = ("reworded:", "perturb:")
_OF_NO_NUMBER = ("experiment", "report")
"""Rooms whose code no run executes."""
_CACHE = "__pycache__"
_BLOCK = 1 << 20


def config_key(given: GivenFirst) -> str:
    """Of a command and all options that are typed and configured, by content: not of comments or names of files."""
    return _hash([given.command, [content for _, content in given.contents], given.typed])


def code_key(package: Path | None = None) -> str:
    """Version and digest of the package's own files."""
    return f"{compret.__version__}+{_digest_of(package or Path(compret.__file__).parent, _OF_NO_NUMBER)[:16]}"


def data_key(given: GivenFirst) -> str:
    """Of the content of all local files that the data and the model name, and of what embedded data is made from.

    What a hub holds is not asked for; results.json has its fingerprint.
    """
    named = sorted({*_named(given.tree())})
    return _hash([(name, found) for name in named if (found := _of_source(name)) is not None])


def needs_key(key: Key) -> str:
    return _hash(key)


def _named(tree: Any, is_data: bool = False) -> Iterator[str]:
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            yield from _named(value, name.removesuffix("+") in _DATA)
    elif isinstance(tree, list):
        for value in tree:
            yield from _named(value, is_data)
    elif isinstance(tree, str) and is_data:
        yield tree


def _of_source(name: str) -> str | None:
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    if name.split(":")[0] == "pydoc":
        return _hash([platform.python_version(), _installed()])
    path = local_path(name)
    return _digest_of(path) if path.exists() else None


def _installed() -> list[str]:
    """Names and versions of the installed packages, whose docstrings the embedded data is made of."""
    found = {path.name for place in ("purelib", "platlib") for path in Path(sysconfig.get_path(place)).glob("*-info")}
    return sorted(name for name in found if not name.startswith("compret-"))


def _digest_of(path: Path, without: tuple[str, ...] = ()) -> str:
    """Of a file, or of all files of a folder with their names."""
    files = sorted(file for file in (path.rglob("*") if path.is_dir() else [path]) if file.is_file())
    names = [file.relative_to(path).parts for file in files]
    kept = [(f, n) for f, n in zip(files, names, strict=True) if not n or (n[0] not in without and _CACHE not in n)]
    return _hash([("/".join(name), _digest(file, *_marks(file))) for file, name in kept])


def _marks(file: Path) -> tuple[int, int]:
    """Size and time, by which a file that many runs name is read once."""
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=1 << 16)
def _digest(file: Path, size: int, changed: int) -> str:
    digest = xxhash.xxh3_128()
    with file.open("rb") as opened:
        while block := opened.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]
