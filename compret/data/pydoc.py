"""PyDoc, the embedded data: docstrings of the installed packages to train on, of the standard library to test on.

Read with `ast`, nothing is imported or run. The query is the summary, the document is the rest.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import shutil
import site
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from compret.data.docstrings import Docstring, Workers, read
from compret.data.nearby import NearTexts, SharedRuns, normalised
from compret.files import local_path

log = logging.getLogger(__name__)

_SUMMARY_WORDS = (3, 48)
_REST_CHARACTERS = 100
_HELD_OUT = 400


@dataclass(frozen=True)
class PyDoc:
    """Where the embedded data lies; every file is a function of the installed packages and the Python version."""

    retrieval: Path
    """Parquet to train on: anchor (the summary), positive (the rest), source (the package)."""
    beir: Path
    """A folder with the BEIR directory `stdlib`: the retrieval test."""
    validation: Path
    """A folder with the BEIR directory `dev`: pairs of packages that give no training rows."""
    fingerprint: dict[str, object]
    """python, digest of the code, packages (name -> version) and their digest, held-out packages, rows a file, SHA-256
    of each file's rows."""


@dataclass(frozen=True)
class Roots:
    """Where to read: the standard library, the folders of installed packages, and the versions of those."""

    stdlib: Path
    packages: tuple[Path, ...]
    versions: Mapping[str, str] = field(default_factory=dict)


def pydoc(cache: Path | None = None) -> PyDoc:
    """The embedded data, made on the first call (within a minute on two cores) and read from the cache after that.

    Args:
        cache: folder to keep it in; COMPRET_CACHE, else compret under XDG_CACHE_HOME or ~/.cache. If it cannot be
            written, the data is made in a temporary folder for this process, with a warning.
    """
    roots = installed()
    return _made_once(cache or cache_folder(), roots.stdlib, roots.packages, tuple(roots.versions.items()))


def cache_folder() -> Path:
    """COMPRET_CACHE, else XDG_CACHE_HOME/compret, else ~/.cache/compret."""
    if os.environ.get("COMPRET_CACHE"):
        return local_path(os.environ["COMPRET_CACHE"])
    return local_path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "compret"


def installed() -> Roots:
    """The running interpreter's standard library, its folders of installed packages, and their versions by name."""
    paths = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *getattr(site, "getsitepackages", list)()]
    folders = tuple(sorted({Path(path).resolve() for path in paths if Path(path).is_dir()}))
    found = importlib.metadata.distributions(path=[str(folder) for folder in folders])
    named = {str(d.metadata["Name"]).lower().replace("_", "-"): d.version for d in found}
    named.pop("compret", None)
    return Roots(Path(sysconfig.get_path("stdlib")), folders, dict(sorted(named.items())))


@lru_cache(maxsize=4)
def _made_once(cache: Path, stdlib: Path, packages: tuple[Path, ...], versions: tuple[tuple[str, str], ...]) -> PyDoc:
    return cached(Roots(stdlib, packages, dict(versions)), cache)


def is_made() -> bool:
    """Whether the cache holds what `pydoc` would give."""
    return (_folder(installed(), cache_folder()) / "fingerprint.json").is_file()


def _folder(roots: Roots, cache: Path) -> Path:
    return cache / "pydoc" / _digest([rules(), platform.python_version(), *roots.versions.items()])[:16]


def cached(roots: Roots, cache: Path) -> PyDoc:
    """The data of some roots from a cache folder, made and moved there in one step if it is not there yet."""
    folder = _folder(roots, cache)
    if (folder / "fingerprint.json").is_file():
        return _opened(folder)
    log.info("making the embedded data of the installed packages, once, in a minute or two: %s", folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    except OSError as error:
        log.warning("%s cannot be written (%s): PyDoc is made for this process alone", folder.parent, error.strerror)
        made = Path(tempfile.mkdtemp(prefix="compret-pydoc-"))
        atexit.register(shutil.rmtree, made, ignore_errors=True)
        return build(roots, made)
    try:
        build(roots, made)
        # where another process was faster, its folder holds the same rows
        with contextlib.suppress(OSError):
            made.replace(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return _opened(folder)


def rules() -> str:
    """SHA-256 of the code that makes the rows, so that other code is not given the rows of the old."""
    files = [Path(__file__).with_name(name) for name in ("docstrings.py", "nearby.py", "pydoc.py")]
    return _digest(file.read_text(encoding="utf-8") for file in files)


def build(roots: Roots, folder: Path) -> PyDoc:
    """Read the roots and write all files into an existing folder; the same roots give the same rows."""
    with Workers() as workers:
        library = read([roots.stdlib], workers, "the standard library")
        packages = read(roots.packages, workers, "the installed packages")
    test = pairs(library)
    unseen = without(packages, [row.summary for row in test], [row.rest for row in test])
    held = held_out(unseen)
    dev = pairs(row for row in unseen if row.source in held)
    train = pairs(without((row for row in unseen if row.source not in held), [row.summary for row in dev], []))
    retrieval = [{"anchor": row.summary, "positive": row.rest, "source": row.source} for row in train]
    _write_parquet(folder / "retrieval.parquet", ("anchor", "positive", "source"), retrieval)
    _write_beir(folder / "beir" / "stdlib", test)
    _write_beir(folder / "validation" / "dev", dev)
    files: dict[str, Sequence[Any]] = {"retrieval": retrieval, "stdlib": test, "dev": dev}
    _write_fingerprint(folder / "fingerprint.json", roots, sorted(held), files)
    return _opened(folder)


def pairs(rows: Iterable[Docstring]) -> list[Docstring]:
    """The docstrings that have a summary and a rest to find with it, each summary and each rest once."""
    low, high = _SUMMARY_WORDS
    seen: set[str] = set()
    found = []
    for row in rows:
        if low <= len(row.summary.split()) <= high and len(row.rest) >= _REST_CHARACTERS:
            keys = {normalised(row.summary), normalised(row.rest)}
            if not keys & seen and "" not in keys:
                seen |= keys
                found.append(row)
    return found


def without(rows: Iterable[Docstring], summaries: Iterable[str], rests: Iterable[str]) -> list[Docstring]:
    """The docstrings that are no copy of the given ones: by the words of the summary, or by 13 words in a row."""
    near, copied = NearTexts(summaries), SharedRuns(rests)
    return [row for row in rows if row.summary not in near and row.rest not in copied]


def held_out(rows: Sequence[Docstring]) -> set[str]:
    """Whole small packages for validation, in the order of their names' hashes; none where there is only one.

    Whole packages, because docstrings of one package repeat each other. They have 400 pairs or more together, or a
    tenth of all where that is less, and none has more than a third of that, if there are any so small.
    """
    counts = Counter(row.source for row in pairs(rows))
    wanted = min(_HELD_OUT, sum(counts.values()) // 10)
    most = max(wanted // 3, min(counts.values(), default=0))
    held: set[str] = set()
    for name in sorted(counts, key=lambda name: hashlib.sha256(name.encode()).hexdigest()):
        if len(counts) > 1 and counts[name] <= most and sum(counts[other] for other in held) < max(1, wanted):
            held.add(name)
    return held


def _digest(rows: Iterable[object]) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row).encode())
    return digest.hexdigest()


def _write_parquet(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(column, pa.string()) for column in columns])
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _write_beir(folder: Path, rows: Sequence[Docstring]) -> None:
    """corpus.jsonl, queries.jsonl and qrels/test.tsv; query q7 is answered by document d7."""
    (folder / "qrels").mkdir(parents=True)
    _write_lines(folder / "corpus.jsonl", ({"_id": f"d{i}", "title": "", "text": r.rest} for i, r in enumerate(rows)))
    _write_lines(folder / "queries.jsonl", ({"_id": f"q{i}", "text": r.summary} for i, r in enumerate(rows)))
    judged = ["query-id\tcorpus-id\tscore", *(f"q{i}\td{i}\t1" for i in range(len(rows)))]
    (folder / "qrels" / "test.tsv").write_text("\n".join(judged) + "\n", encoding="utf-8")


def _write_fingerprint(path: Path, roots: Roots, held: list[str], files: Mapping[str, Sequence[Any]]) -> None:
    content = {
        "rules_sha256": rules(),
        "python": platform.python_version(),
        "packages": dict(roots.versions),
        "packages_sha256": _digest(roots.versions.items()),
        "held_out": held,
        "counts": {name: len(rows) for name, rows in files.items()},
        "sha256": {name: _digest(rows) for name, rows in files.items()},
    }
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _opened(folder: Path) -> PyDoc:
    return PyDoc(
        retrieval=folder / "retrieval.parquet",
        beir=folder / "beir",
        validation=folder / "validation",
        fingerprint=json.loads((folder / "fingerprint.json").read_text(encoding="utf-8")),
    )
