"""The docstrings of Python files, read with `ast` on all cores; nothing is imported or run."""

from __future__ import annotations

import ast
import gc
import inspect
import logging
import multiprocessing
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

log = logging.getLogger(__name__)

_CHUNK_BYTES = 1_000_000
_TESTS = re.compile(r"_?tests?|_?testing|idlelib|lib2to3|turtledemo|ensurepip|site-packages|dist-packages|__pycache__")
_TEST_FILE = re.compile(r"(test_.*|.*_tests?|conftest|tests?)\.py")
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_BLOCKS = (*_DEFINITIONS, ast.If, ast.Try, ast.With, ast.ExceptHandler)
_RULE = re.compile(r"^[ \t]*[-=~^*#_]{3,}[ \t]*$", re.MULTILINE)
_PARAGRAPHS = re.compile(r"\n[ \t]*\n")
_NO_SUMMARY = re.compile(
    r"(parameters?|args|arguments|returns?|raises|yields?|notes?|examples?|attributes|see also)\s*:?$|:|>>>|\.\. ", re.I
)
T = TypeVar("T")


class Docstring(NamedTuple):
    """One docstring: the package it stands in, its first paragraph, what follows (may be empty)."""

    source: str
    summary: str
    rest: str


class Workers:
    """Processes for the heavy parts, started when first needed; this process alone where they cannot be."""

    def __init__(self) -> None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self.count = 1 if multiprocessing.current_process().daemon else min(cores, 8)
        self.pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        if self.pool is not None:
            self.pool.shutdown()

    def map(self, work: Callable[[list[T]], list[Any]], chunks: Sequence[list[T]], what: str) -> list[Any]:
        """The results of all chunks end to end, in order; few chunks are not worth a process."""
        from tqdm import tqdm

        bar = partial(tqdm, total=len(chunks), desc=what, disable=None, leave=False)
        if self.count > 1 and (self.pool is not None or len(chunks) > 8):
            try:
                # fork would copy the threads' locks of whoever calls
                spawn = multiprocessing.get_context("spawn")
                self.pool = self.pool or ProcessPoolExecutor(self.count, spawn)
                return list(chain.from_iterable(bar(self.pool.map(work, chunks))))
            except BrokenProcessPool:
                log.warning("no processes can be started (a script without a __main__ guard?): one core does it all")
                self.count, self.pool = 1, None
        return list(chain.from_iterable(work(chunk) for chunk in bar(chunks)))


def read(roots: Iterable[Path], workers: Workers, what: str) -> list[Docstring]:
    """All docstrings under some folders, each once, in order of path; no tests, nothing that cannot be parsed."""
    files = [entry for root in roots for entry in _files(root)]
    rows = workers.map(_read_files, list(_chunks(files)), f"reading {what}")
    return list({(row.summary, row.rest): row for row in reversed(rows)}.values())[::-1]


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    """(top-level package, file) of the Python files under a folder, sorted, without tests and without compret."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not _TESTS.fullmatch(name))
        inside = Path(folder).relative_to(root).parts
        for name in sorted(names):
            source = inside[0] if inside else name.removesuffix(".py")
            if name.endswith(".py") and not _TEST_FILE.fullmatch(name) and source != "compret":
                yield source, Path(folder, name)


def _chunks(files: Iterable[tuple[str, Path]]) -> Iterator[list[tuple[str, Path]]]:
    """Consecutive files of about the same number of bytes together."""
    chunk: list[tuple[str, Path]] = []
    size = 0
    for source, path in files:
        chunk.append((source, path))
        size += path.stat().st_size
        if size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    yield chunk


def _read_files(files: list[tuple[str, Path]]) -> list[Docstring]:
    collecting = gc.isenabled()
    # the collector would walk the growing trees again and again, which doubles the time
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return [row for source, path in files for text in _docstrings(path) if (row := _split(source, text))]
    finally:
        if collecting:
            gc.enable()


def _docstrings(path: Path) -> Iterator[str]:
    """The docstrings of a file; none of one that this Python cannot parse, such as a template."""
    try:
        source = path.read_bytes()
        tree = ast.parse(source) if b'"""' in source or b"'''" in source else ast.Module([], [])
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return
    yield from _bodies(tree)


def _bodies(node: ast.AST) -> Iterator[str]:
    if isinstance(node, (*_DEFINITIONS, ast.Module)) and (text := ast.get_docstring(node, clean=False)):
        yield text
    for block in ("body", "orelse", "handlers", "finalbody"):
        for child in getattr(node, block, ()):
            if isinstance(child, _BLOCKS):
                yield from _bodies(child)


def _split(source: str, text: str) -> Docstring | None:
    """The first paragraph as one line, and the rest with single spaces and without the rules under headings."""
    clean = inspect.cleandoc(text).encode("utf-8", "ignore").decode("utf-8")
    raw = [paragraph for paragraph in _PARAGRAPHS.split(_RULE.sub("", clean)) if paragraph.strip()]
    if not raw or _NO_SUMMARY.match(raw[0].strip().split("\n")[0]):
        return None
    summary, *rest = [" ".join(paragraph.split()) for paragraph in raw]
    return Docstring(source, summary, " ".join(rest))
