"""PyDoc made of small folders that stand for the standard library and the installed packages."""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import random
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from compret.data import pydoc as module
from compret.data.docstrings import Docstring, Workers, read
from compret.data.nearby import RUN, NearTexts, SharedRuns
from compret.data.pydoc import PyDoc, Roots, cache_folder, cached, held_out, installed, pairs, pydoc, without
from compret.data.retrieval import find_sources, load_retrieval_set
from compret.metrics.near_miss import jaccard

SYLLABLES = ["".join(parts) for parts in itertools.product("bdfgklmprst", "aeiou")]
VOCABULARY = [one + other + "k" for one in SYLLABLES for other in SYLLABLES]
TEMPLATES = [
    "Return the first {} of the {} if the {} is open.",
    "The {} is greater than the {} when the {} is closed.",
    "Copy the {} from the {} to the {} before it is read.",
    "The {} contains the {} and never raises a {}.",
    "Delete the {} above the {} unless the {} is locked.",
]
Text = tuple[str, str]


def invented(seed: int, count: int) -> list[Text]:
    """Docstrings of words that hardly two of them share: a summary, and two paragraphs of sentences."""
    draw = random.Random(seed)

    def sentence(i: int) -> str:
        return TEMPLATES[i % len(TEMPLATES)].format(*draw.sample(VOCABULARY, 3))

    def aside() -> str:
        return "It was made of " + " ".join(draw.sample(VOCABULARY, 12)) + "."

    return [(sentence(i), f"{aside()} {sentence(i + 1)}\n\n{aside()}") for i in range(count)]


def module_of(texts: Iterable[Text]) -> str:
    """A Python file with a function for each text."""
    return "".join(f'def f{i}():\n    """{a}\n\n{b}\n    """\n' for i, (a, b) in enumerate(texts))


LIBRARY, BIG, MIDDLE, SMALL = invented(1, 60), invented(2, 80), invented(3, 60), invented(4, 6)
SPARE = invented(5, 8)
LONG = LIBRARY[3][1].split("\n\n")[0].split()[:RUN]
COPIES = [
    LIBRARY[0],
    (LIBRARY[1][0], SPARE[0][1]),
    (SPARE[1][0], LIBRARY[2][1]),
    (LIBRARY[4][0].lower().replace(".", "!"), SPARE[2][1]),
    (SPARE[3][0], " ".join([*SPARE[3][1].split()[:9], *LONG, "and so on."])),
]
VERSIONS = {"big": "1.0", "middle": "2.0", "small": "0.1"}


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Roots:
    """A standard library, three packages in two folders, and files that are not to be read or cannot be."""
    top = tmp_path_factory.mktemp("roots")
    contents = {
        "stdlib/alpha.py": module_of(LIBRARY[:30]),
        "stdlib/beta/gamma.py": module_of(LIBRARY[30:]),
        "stdlib/test/test_alpha.py": module_of(invented(6, 3)),
        "stdlib/site-packages/other.py": module_of(invented(7, 3)),
        "one/big/__init__.py": "raise SystemExit('nothing is to be run')\n" + module_of(BIG[:40]),
        "one/big/deep/er.py": module_of([*BIG[40:], *COPIES]),
        "one/big/broken.py": 'def f(:\n    """Return the broken value of the file.\n\n' + "It is long. " * 20 + '"""\n',
        "one/big/tests/helper.py": module_of(invented(8, 3)),
        "one/big/conftest.py": module_of(invented(9, 3)),
        "one/compret/own.py": module_of(invented(10, 3)),
        "one/small/__init__.py": module_of(SMALL),
        "one/big/notes.txt": module_of(invented(11, 3)),
        "two/middle.py": module_of([*MIDDLE, BIG[0]]),
    }
    for name, content in contents.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(content, encoding="utf-8")
    (top / "one/big/binary.py").write_bytes(b'"""\x00\xff\xfe' + bytes(range(256)) + b'"""')
    (top / "one/big/latin.py").write_bytes(b'"""Caf\xe9 is not UTF-8.\n\n' + b"It is long. " * 20 + b'"""')
    (top / "one/big/gone.py").symlink_to(top / "one/big/__init__.py")
    return Roots(top / "stdlib", (top / "one", top / "two"), VERSIONS)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def made(roots: Roots, cache: Path) -> PyDoc:
    return cached(roots, cache)


def table(path: Path) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = pq.read_table(path).to_pylist()
    return rows


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def texts(path: Path) -> list[str]:
    return [row["text"] for row in lines(path)]


def runs(text: str) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[i : i + RUN]) for i in range(len(words) - RUN + 1)}


def whole(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_files_have_the_documented_columns(made: PyDoc) -> None:
    assert pq.read_schema(made.retrieval).names == ["anchor", "positive", "source"]
    counts = {
        "retrieval": len(table(made.retrieval)),
        "stdlib": len(lines(made.beir / "stdlib" / "queries.jsonl")),
        "dev": len(lines(made.validation / "dev" / "queries.jsonl")),
    }
    assert made.fingerprint["counts"] == counts
    assert all(counts.values())
    assert set(made.fingerprint["sha256"]) == set(counts)  # type: ignore[call-overload]
    assert made.fingerprint["packages"] == VERSIONS


def test_the_rows_are_the_docstrings(made: PyDoc) -> None:
    assert texts(made.beir / "stdlib" / "queries.jsonl") == [summary for summary, _ in LIBRARY]
    assert texts(made.beir / "stdlib" / "corpus.jsonl") == [" ".join(rest.split()) for _, rest in LIBRARY]
    rows = {(row["anchor"], row["positive"], row["source"]) for row in table(made.retrieval)}
    big = {(a, " ".join(b.split()), "big") for a, b in BIG}
    middle = {(a, " ".join(b.split()), "middle") for a, b in MIDDLE}
    assert rows == big | middle
    assert len(table(made.retrieval)) == len(rows)


def test_copies_of_the_test_are_kept_out_of_training(made: PyDoc) -> None:
    queries, documents = (texts(made.beir / "stdlib" / f"{name}.jsonl") for name in ("queries", "corpus"))
    rows = table(made.retrieval)
    assert max(jaccard(row["anchor"], query) for row in rows for query in queries) < 0.8
    tested = set().union(*map(runs, documents))
    assert not any(runs(row["positive"]) & tested for row in rows)
    assert not {a for a, _ in COPIES} & {row["anchor"] for row in rows}


def test_held_out_packages_give_no_training_rows(made: PyDoc) -> None:
    assert made.fingerprint["held_out"] == ["small"]
    assert "small" not in {row["source"] for row in table(made.retrieval)}
    assert texts(made.validation / "dev" / "queries.jsonl") == [summary for summary, _ in SMALL]


def test_the_beir_directories_can_be_read(made: PyDoc) -> None:
    for folder, name, count in ((made.beir, "stdlib", len(LIBRARY)), (made.validation, "dev", len(SMALL))):
        (source,) = find_sources(str(folder), None)
        found = load_retrieval_set(source)
        assert (found.name, len(found.queries), len(found.documents)) == (name, count, count)
        assert all(judged == {"d" + query[1:]: 1} for query, judged in found.qrels.items())


def test_a_second_call_reads_the_cache(
    made: PyDoc, roots: Roots, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("built again")

    times = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    monkeypatch.setattr(module, "build", refuse)
    assert cached(roots, cache) == made
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*")} == times
    assert not caplog.records
    with pytest.raises(AssertionError, match="built again"):
        cached(Roots(roots.stdlib, roots.packages, {**VERSIONS, "big": "1.1"}), cache)
    assert not list(cache.rglob(".making-*"))


def test_the_same_roots_give_the_same_rows(made: PyDoc, roots: Roots, tmp_path: Path) -> None:
    again = cached(roots, tmp_path)
    assert again.fingerprint == made.fingerprint
    assert again.retrieval != made.retrieval
    assert whole(again.retrieval.parent) == whole(made.retrieval.parent)


def test_other_docstrings_give_another_fingerprint(made: PyDoc, roots: Roots, tmp_path: Path) -> None:
    fewer = cached(Roots(roots.stdlib, roots.packages[:1], roots.versions), tmp_path)
    before, after = made.fingerprint["sha256"], fewer.fingerprint["sha256"]
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    assert before["retrieval"] != after["retrieval"]
    assert before["stdlib"] == after["stdlib"]


def test_a_faster_process_wins(roots: Roots, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build, first = module.build, []

    def slow(given: Roots, folder: Path) -> PyDoc:
        monkeypatch.setattr(module, "build", build)
        first.append(cached(given, tmp_path))
        return build(given, folder)

    monkeypatch.setattr(module, "build", slow)
    assert cached(roots, tmp_path) == first[0]
    assert len(list((tmp_path / "pydoc").iterdir())) == 1


def test_a_cache_that_cannot_be_written_warns(
    made: PyDoc, roots: Roots, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    with caplog.at_level(logging.WARNING):
        found = cached(roots, tmp_path / "taken")
    assert "cannot be written" in caplog.text
    assert found.fingerprint == made.fingerprint
    assert not found.retrieval.is_relative_to(tmp_path)
    assert table(found.retrieval) == table(made.retrieval)


def test_nothing_is_imported_or_run(made: PyDoc) -> None:
    sources = [row["source"] for row in table(made.retrieval)]
    assert sources.count("big") == len(BIG)
    assert not {"big", "middle", "small", "alpha", "beta"} & set(sys.modules)


def test_tests_and_files_that_cannot_be_parsed_are_skipped(roots: Roots) -> None:
    with Workers() as workers:
        found = read(roots.packages, workers, "packages")
        library = read([roots.stdlib], workers, "library")
        assert workers.pool is None
    assert len(library) == len(LIBRARY)
    assert {row.source for row in library} == {"alpha", "beta"}
    # the symlink repeats the package's own file, the other package the package's first docstring
    assert len(found) == len(BIG) + len(COPIES) + len(SMALL) + len(MIDDLE)
    assert not any("broken" in row.summary or "Caf" in row.summary for row in found)


def test_what_a_docstring_splits_into(tmp_path: Path) -> None:
    kept = '''class A:
    """Return the value\n    of a file.

    Parameters
    ----------
    x: int

    It is read once. It is `closed` after that.

        code()
    """
    if True:
        async def f(self):
            """Only a summary"""
    def g(self):
        """Args:\n            x: no summary"""
    def h(self):
        """"""
'''
    (tmp_path / "a.py").write_text(kept)
    with Workers() as workers:
        found = read([tmp_path], workers, "files")
    rest = "Parameters x: int It is read once. It is `closed` after that. code()"
    assert found == [Docstring("a", "Return the value of a file.", rest), Docstring("a", "Only a summary", "")]


def test_no_packages_and_no_library(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    found = cached(Roots(tmp_path / "empty", (tmp_path / "empty", tmp_path / "absent")), tmp_path)
    assert set(found.fingerprint["counts"].values()) == {0}  # type: ignore[attr-defined]
    assert table(found.retrieval) == []


def doc(source: str, i: int) -> Docstring:
    return Docstring(source, f"Return the value number {i} of {source}.", f"{source} {i} " * 40)


def test_pairs_have_a_summary_and_a_rest_once() -> None:
    good = doc("a", 0)
    short, few = good._replace(rest="x" * 99), good._replace(summary="Two words")
    many = good._replace(summary="word " * 49)
    assert pairs([short, few, many, good]) == [good]
    same = good._replace(summary=good.summary.upper())
    assert pairs([good, same, good._replace(summary="Another one of these", source="b")]) == [good]
    assert pairs([good._replace(rest="." * 200)]) == []


def test_held_out_packages_are_small_and_whole() -> None:
    rows = [doc(source, i) for source, count in (("a", 150), ("b", 9), ("c", 9), ("d", 9)) for i in range(count)]
    held = held_out(rows)
    assert held < {"b", "c", "d"}
    assert len(held) == 2
    assert held == held_out(rows[::-1])
    assert held_out(rows[:150]) == set()
    assert held_out([]) == set()


def test_near_texts_find_what_a_loop_finds() -> None:
    draw = random.Random(0)
    some, others = ([" ".join(draw.choices("abcdefgh", k=draw.randint(1, 9))) for _ in range(120)] for _ in range(2))
    near = NearTexts(some)
    expected = [any(jaccard(text, other) >= 0.8 for other in some) for text in others]
    assert [text in near for text in others] == expected
    assert 0 < sum(expected) < len(expected)


def test_shared_runs_find_what_a_loop_finds() -> None:
    draw = random.Random(1)
    some = [" ".join(draw.choices("abcdefghij", k=draw.randint(13, 40))) for _ in range(40)]
    held = set().union(*map(runs, some))
    shared = SharedRuns(some)
    found = []
    for i in range(200):
        words, size = some[i % 40].split(), draw.randint(11, 15)
        start = draw.randint(0, len(words))
        text = " ".join([*draw.choices("klmno", k=i % 17), *words[start : start + size], *draw.choices("klmno", k=5)])
        assert (text in shared) == bool(runs(text) & held)
        found.append(text in shared)
    assert 0 < sum(found) < len(found)
    assert "Too Short to probe" in SharedRuns(["too short to probe"])


def test_without_drops_copies_only() -> None:
    rows = [doc("a", 1), doc("b", 2)]
    assert without(rows, [rows[0].summary.upper()], []) == rows[1:]
    assert without(rows, [], [rows[1].rest]) == rows[:1]
    assert without(rows, [], []) == rows


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPRET_CACHE", "~/here")
    monkeypatch.setenv("XDG_CACHE_HOME", "/there")
    assert cache_folder() == Path.home() / "here"
    monkeypatch.delenv("COMPRET_CACHE")
    assert cache_folder() == Path("/there/compret")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "compret"


def test_what_is_installed() -> None:
    found = installed()
    assert (found.stdlib / "ast.py").is_file()
    assert any((folder / "pytest").is_dir() for folder in found.packages)
    assert found.versions["pytest"] == pytest.__version__
    assert "compret" not in found.versions


def test_one_process_opens_it_once(roots: Roots, made: PyDoc, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "installed", lambda: roots)
    monkeypatch.setenv("COMPRET_CACHE", str(cache))
    assert pydoc() == made
    assert pydoc() is pydoc(cache)
