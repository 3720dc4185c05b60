"""Files of rows, written and changed at random: what is read is what was meant, or one line says why not."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compret.data.near_miss_files import load_near_misses
from compret.data.nevir import load_nevir
from compret.data.records import read_records
from compret.data.triplet_tables import load_triplets
from compret.types import UserError
from tests.fuzz.cases import ODD, break_bytes, cases, check_line, one_of

Row = dict[str, Any]
Table = list[Row]
QUOTINGS = (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
ODD_TEXTS = [
    *("a, b", 'said "no"', '"quoted"', "it's", "a\tb", "two\nlines", "a\r\nb", "\u2028", "x\u0085y", "x\fy", "\ufeffx"),
    *(
        "007",
        "1.0",
        "True",
        "null",
        "NA",
        "nan",
        "-",
        "=1+1",
        "#",
        "\\",
        "\\n",
        "{}",
        "[1]",
        "é",
        "日本",
        "👩\u200d🚀",
        '"',
    ),
    *(" led", "trailing ", "a\0b", "x" * 3000, "x;y", "x|y", '""', "'a'", "<b>", "%s", "--name"),
]


class RefusedError(Exception):
    """What the reader has to refuse."""


def a_text(value: Any) -> str:
    """Text that a file can hold, and more than blanks."""
    if not isinstance(value, str) or not value.strip() or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise RefusedError
    return value


def maybe_text(value: Any) -> str | None:
    return None if value is None or value == "" or (isinstance(value, str) and not value.strip()) else a_text(value)


def a_label(value: Any) -> int:
    found = {"1": 1, "1.0": 1, "true": 1, "0": 0, "0.0": 0, "false": 0}.get(str(value).strip().lower())
    if found is None:
        raise RefusedError
    return found


def a_category(value: Any) -> str | None:
    """Text or a number, as text; NaN is how tables say that there is none."""
    if isinstance(value, float) and np.isnan(value):
        return None
    found = maybe_text(str(value) if isinstance(value, int | float) else value)
    return found.strip() if found else None


@dataclass(frozen=True)
class Layout:
    """The columns of a kind of file, what their values mean, and the rows that compret reads."""

    columns: Mapping[str, Callable[[Any], Any]]
    read: Callable[[Path], list[tuple[Any, ...]]]

    def meant(self, rows: Table) -> list[tuple[Any, ...]]:
        if not rows:
            raise RefusedError
        return [tuple(meaning(row.get(column)) for column, meaning in self.columns.items()) for row in rows]


def triplet_rows(path: Path) -> list[tuple[Any, ...]]:
    return [
        tuple(row.get(c) for c in ("anchor", "positive", "negative", "category")) for row in load_triplets(str(path))
    ]


def identity_rows(path: Path) -> list[tuple[Any, ...]]:
    rows = triplet_rows(path)
    assert all(anchor == positive for anchor, positive, _, _ in rows)
    return [(anchor, negative, category) for anchor, _, negative, category in rows]


def pair_rows(path: Path) -> list[tuple[Any, ...]]:
    read = load_near_misses(str(path))
    categories = [None if category == "all" else category for category in read.categories]
    return list(zip(read.anchors, read.candidates, read.labels, categories, strict=True))


def bare_rows(path: Path) -> list[tuple[Any, ...]]:
    rows = pair_rows(path)
    assert all(label == 0 for _, _, label, _ in rows)
    return [(anchor, candidate, category) for anchor, candidate, _, category in rows]


def nevir_rows(path: Path) -> list[tuple[Any, ...]]:
    read = load_nevir(str(path))
    return [(*queries, *documents) for queries, documents in zip(read.queries, read.documents, strict=True)]


LAYOUTS = {
    "triplets": Layout(
        {"anchor": a_text, "positive": a_text, "negative": maybe_text, "category": a_category}, triplet_rows
    ),
    "identity rows": Layout({"sentence1": a_text, "sentence2": a_text, "category": a_category}, identity_rows),
    "near-misses": Layout({"anchor": a_text, "candidate": a_text, "label": a_label, "category": a_category}, pair_rows),
    "the paper's near-misses": Layout({"sentence1": a_text, "sentence2": a_text, "category": a_category}, bare_rows),
    "NevIR": Layout(dict.fromkeys(("q1", "q2", "doc1", "doc2"), a_text), nevir_rows),
}


def some_rows(layout: Layout, rng: np.random.Generator) -> Table:
    """Rows of texts that are legal and odd."""

    def value(column: str) -> Any:
        if column == "label":
            return int(rng.integers(2))
        words = [one_of(ODD_TEXTS, rng) if rng.random() < 0.3 else f"word{rng.integers(99)}" for _ in range(3)]
        return " ".join(words)

    rows = [{column: value(column) for column in layout.columns} for _ in range(int(rng.integers(2, 7)))]
    for row in rows:
        for column in ("negative", "category"):
            if column in row and rng.random() < 0.2:
                row[column] = None
    return rows


def written(rows: Table, suffix: str, rng: np.random.Generator, quotings: tuple[int, ...] = QUOTINGS) -> bytes:
    """A file of rows as its kind's usual writer makes it."""
    columns = names_of(rows) or ["anchor", "positive"]
    if suffix == ".jsonl":
        end, ascii_only = one_of(["\n", "\r\n", "\n\n"], rng), bool(rng.random() < 0.5)
        return "".join(json.dumps(row, ensure_ascii=ascii_only) + end for row in rows).encode("utf-8", "surrogatepass")
    if suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = io.BytesIO()
        table = pa.table({column: pa.array([row.get(column) for row in rows]) for column in columns})
        pq.write_table(table, file, row_group_size=int(rng.integers(1, 5)))
        return file.getvalue()
    text = io.StringIO(newline="")
    quoting = one_of(quotings, rng)
    table = csv.writer(
        text, delimiter="\t" if suffix == ".tsv" else ",", lineterminator=one_of(["\n", "\r\n"], rng), quoting=quoting
    )
    table.writerows([columns, *([row.get(column) for column in columns] for row in rows)])
    return text.getvalue().encode("utf-8", "surrogatepass")


def names_of(rows: Table) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def as_cells(rows: Table) -> Table:
    """Rows as a CSV holds them, whose cells are text."""
    return [{column: "" if value is None else str(value) for column, value in row.items()} for row in rows]


def odd_value(rows: Table, rng: np.random.Generator) -> Table:
    row = one_of(rows, rng)
    column = one_of(list(row), rng)
    if rng.random() < 0.2:
        return [{k: v for k, v in other.items() if k != column or other is not row} for other in rows]
    row[column] = one_of([*ODD, *ODD_TEXTS], rng)
    return rows


def odd_column(rows: Table, rng: np.random.Generator) -> Table:
    """One column that is of another kind throughout, or gone."""
    column = one_of(list(rows[0]), rng)
    value = one_of([*ODD, 1.0, b"bytes", b"\xff"], rng)
    gone = rng.random() < 0.2
    return [{k: value if k == column else v for k, v in row.items() if not (gone and k == column)} for row in rows]


def more_columns(rows: Table, rng: np.random.Generator) -> Table:
    """Columns that nobody asks for, in front or behind."""
    extra = {"id": 7, "note": "x", "Anchor": "y"}
    return [{**extra, **row} if rng.random() < 0.5 else {**row, **extra} for row in rows]


CHANGES: list[Callable[[Table, np.random.Generator], Table]] = [
    odd_value,
    odd_column,
    more_columns,
    lambda rows, rng: rows,
    lambda rows, rng: rows[:0],
]


@pytest.mark.parametrize("seed", cases(160))
@pytest.mark.parametrize("name", LAYOUTS)
def test_rows_are_read_as_they_were_meant(tmp_path: Path, name: str, seed: int) -> None:
    """Rows of which a value or a column is another, in each format: those rows, or a refusal where one must be."""
    rng, layout = np.random.default_rng(seed), LAYOUTS[name]
    suffix = one_of([".jsonl", ".csv", ".tsv", ".parquet"], rng)
    rows = some_rows(layout, rng)
    rows = one_of(CHANGES, rng)(rows, rng)
    path = tmp_path / f"rows{suffix}"
    try:
        path.write_bytes(written(rows, suffix, rng))
    except (ValueError, OverflowError, TypeError, NotImplementedError, csv.Error):
        return  # no such file can hold that
    if suffix in (".csv", ".tsv"):
        rows = as_cells([{column: row.get(column) for column in names_of(rows)} for row in rows])
    compare(layout, path, rows)


def compare(layout: Layout, path: Path, rows: Table) -> None:
    try:
        meant = layout.meant(rows)
    except RefusedError:
        meant = None
    try:
        read = layout.read(path)
    except UserError as error:
        check_line(error)
        assert str(path) in str(error)  # noqa: PT017
        assert meant is None, f"refused: {error}"  # noqa: PT017
    else:
        assert read == meant


def plain_rows(layout: Layout, rng: np.random.Generator) -> Table:
    def value(column: str) -> Any:
        return int(rng.integers(2)) if column == "label" else f"word{rng.integers(99)} é{rng.integers(99)}"

    return [{column: value(column) for column in layout.columns} for _ in range(int(rng.integers(2, 7)))]


def separated(content: bytes, line: int, change: Callable[[list[bytes]], list[bytes]]) -> bytes:
    """A file of separated fields with the fields of one line changed."""
    lines = content.split(b"\n")
    mark = b"\t" if b"\t" in lines[0] else b","
    lines[line] = mark.join(change(lines[line].rstrip(b"\r").split(mark)))
    return b"\n".join(lines)


def in_the_header(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    head, end, rest = content.partition(b"\n")
    return change(head.rstrip(b"\r")) + end + rest


def renamed(content: bytes) -> bytes:
    return content.replace(b"anchor", b"ancor").replace(b"sentence1", b"sentense1").replace(b"q1", b"Q1")


ALIKE: dict[str, Callable[[bytes], bytes]] = {
    "a byte order mark": lambda content: b"\xef\xbb\xbf" + content,
    "no end of the last line": lambda content: content.rstrip(b"\r\n"),
    "blank lines at the end": lambda content: content + b"\n\r\n",
    "blank lines between": lambda content: content.replace(b"\n", b"\n\n"),
}
"""Files of lines that say the same."""
ALIKE_IN_FIELDS: dict[str, Callable[[bytes], bytes]] = {
    "blanks around names": lambda content: separated(content, 0, lambda names: [b" " + name + b"  " for name in names]),
    "another column": lambda content: b"\n".join(
        line and b"z" + str(i).encode() + (b"\t" if b"\t" in line else b",") + line
        for i, line in enumerate(content.split(b"\n"))
    ),
    "a column without a name": lambda content: b"\n".join(
        line and (str(i).encode() if i else b"") + (b"\t" if b"\t" in line else b",") + line
        for i, line in enumerate(content.split(b"\n"))
    ),
}
UNLIKE: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda content: b"",
    "UTF-16": lambda content: content.decode().encode("utf-16"),
    "Latin-1": lambda content: content.replace(b"word", b"\xe9", 1),
    "compressed": lambda content: gzip.compress(content, mtime=0),
    "a column by another name": renamed,
    "bytes that no text has": lambda content: content + b"\xff\xfe",
}
"""Files of lines that must be refused."""
UNLIKE_IN_FIELDS: dict[str, Callable[[bytes], bytes]] = {
    "a field too many": lambda content: separated(content, 1, lambda fields: [*fields, b"x"]),
    "a field too few": lambda content: separated(content, 1, lambda fields: fields[:-1]),
    "a comma without quotes": lambda content: separated(content, 1, lambda fields: [b"x", b"y", *fields[1:]]),
    "a name twice": lambda content: separated(content, 0, lambda names: [*names[:-1], names[0]]),
    "the header alone": lambda content: content.split(b"\n")[0],
}
UNLIKE_IN_JSON: dict[str, Callable[[bytes], bytes]] = {
    "null first": lambda content: b"null\n" + content,
    "a list": lambda content: b"[" + content.replace(b"\r", b"").strip().replace(b"\n", b",") + b"]",
    "a row of a list": lambda content: content + b'["a", "b"]\n',
    "a row that is cut off": lambda content: content.rstrip()[:-1],
    "a name twice": lambda content: content.replace(b"{", b'{"x": 1, "x": 2, ', 1),
    "nested deep": lambda content: content.replace(b"{", b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b", ", 1),
    "two rows a line": lambda content: re.sub(rb"}[\r\n]+", b"}", content, count=1),
}


@pytest.mark.parametrize("seed", cases(40))
@pytest.mark.parametrize("name", LAYOUTS)
def test_files_that_say_the_same_are_the_same_and_others_are_refused(tmp_path: Path, name: str, seed: int) -> None:
    rng, layout = np.random.default_rng(seed), LAYOUTS[name]
    suffix, rows = one_of([".jsonl", ".csv", ".tsv"], rng), plain_rows(layout, rng)
    alike, unlike = (
        (ALIKE, {**UNLIKE, **UNLIKE_IN_JSON})
        if suffix == ".jsonl"
        else ({**ALIKE, **ALIKE_IN_FIELDS}, {**UNLIKE, **UNLIKE_IN_FIELDS})
    )
    what = one_of(sorted({**alike, **unlike}), rng)
    path = tmp_path / f"rows{suffix}"
    path.write_bytes({**alike, **unlike}[what](written(rows, suffix, rng, QUOTINGS[:1])))
    compare(layout, path, (rows if suffix == ".jsonl" else as_cells(rows)) if what in alike else [])


@pytest.mark.parametrize("seed", cases(80))
@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv", ".parquet"])
def test_no_letter_of_a_damaged_file_is_lost(tmp_path: Path, suffix: str, seed: int) -> None:
    """What is read of a file with other bytes in it holds all that stands there but separators, quotes, line ends."""
    rng = np.random.default_rng(seed)
    rows = some_rows(one_of(list(LAYOUTS.values()), rng), rng)
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(break_bytes(written(rows, suffix, rng), rng) or b"\0")
    try:
        read = [row for _, row in read_records(path)]
    except UserError as error:
        check_line(error)
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert_whole(path, read)


def assert_whole(path: Path, read: Table) -> None:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        assert read == pq.read_table(path).to_pylist()
    elif path.suffix == ".jsonl":
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
        meant = [json.loads(line) for line in lines if line.strip()]
        assert read == [{name.strip(): value for name, value in row.items()} for row in meant]
    else:
        text = path.read_bytes().decode("utf-8-sig")
        cells = [cell for row in read for cell in row.values()]
        known = list(read[0]) if read else []
        missing = Counter(text) - Counter("".join([*known, *cells]))
        around_names = {letter for letter in text.split("\n")[0] if letter.isspace()}
        assert not set(missing) - set('\t",\r\n ') - around_names or not read, missing
