"""The one reader of rows: what stands in a file is what comes out, and what cannot be a row is told in one line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from compret.data import records
from compret.data.near_miss_files import load_near_misses
from compret.data.records import read_records
from compret.data.triplet_tables import load_triplets
from compret.types import UserError

pytestmark = pytest.mark.usefixtures("fresh_cache")

Load = Callable[[str], Any]
LOADERS: list[Load] = [load_triplets, load_near_misses]
HEADER = "anchor,positive,candidate,label\n"


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [row for _, row in read_records(path)]


def told(path: Path, content: str | bytes) -> str:
    """The one line with which a file is refused."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    with pytest.raises(UserError) as error:
        rows_of(path)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)
    return str(error.value)


# bug: `null` in the first line ended the process (a segmentation fault in the JSON reader of `datasets`)
@pytest.mark.parametrize("line", ["null", "[]", "3", '"text"', "true", "NaN"])
@pytest.mark.parametrize("load", LOADERS)
def test_a_line_that_is_no_object_is_refused(tmp_path: Path, load: Load, line: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{line}\n{{"anchor": "a", "positive": "b"}}\n')
    with pytest.raises(UserError, match=r"a.jsonl: line 1: a row must be an object"):
        load(str(tmp_path / "a.jsonl"))


# bug: RecursionError reached the user as a traceback
@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("text", ['{"a": ' + "[" * 200_000, "[" * 200_000, '{"a":' * 200_000])
def test_deep_nesting_is_refused(tmp_path: Path, load: Load, text: str) -> None:
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(UserError, match=r"a.jsonl: line 1: not valid JSON \(nested too deeply\)"):
        load(str(tmp_path / "a.jsonl"))


def test_names_of_columns_are_stripped_and_stand_once(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(" anchor ,score ,\nx,1,2\n")
    assert rows_of(tmp_path / "a.csv") == [{"anchor": "x", "score": "1"}]
    for name, content, place in (
        ("b.csv", "a,b,a\n1,2,3\n", "line 1"),
        ("b.tsv", "a\tb\ta \n1\t2\t3\n", "line 1"),
        ("b.jsonl", '{"a": 1, "a": 2}\n', "line 1"),
        ("c.jsonl", '{"a": 1, " a": 2}\n', "line 1"),
    ):
        message = told(tmp_path / name, content)
        assert place in message
        assert "the column 'a' stands there 2 times" in message


# bug: pandas took the first column for an index and shifted the rest; the near-miss reader lost the last field
@pytest.mark.parametrize("row", ["one, two,b,c,1", "a,b,c", "a,b,c,1,", "a"])
@pytest.mark.parametrize("load", LOADERS)
def test_a_row_with_an_unquoted_comma_is_refused_with_its_line(tmp_path: Path, load: Load, row: str) -> None:
    (tmp_path / "a.csv").write_text(f"{HEADER}a,b,c,1\n{row}\n")
    with pytest.raises(UserError, match=r"a.csv: line 3: \d fields under a header of 4") as error:
        rows_of(tmp_path / "a.csv")
    assert "in quotes" in str(error.value)
    (tmp_path / "b.csv").write_text("anchor,positive\na,b\nc,d,e\n" if load is load_triplets else f"{HEADER}{row}\n")
    with pytest.raises(UserError, match=r"b.csv"):
        load(str(tmp_path / "b.csv"))


# bug: every row of a file could shift without a word: pandas made the first column an index
def test_columns_never_shift(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("anchor,positive\nid1,a,b\nid2,c,d\n")
    with pytest.raises(UserError, match=r"a.csv: line 2: 3 fields under a header of 2"):
        load_triplets(str(tmp_path / "a.csv"))


# bug: the types were those of the first 10,000 rows; after them 007 became 7 and True became true
@pytest.mark.parametrize("value", ["007", "True", "1e5", "1.50", "NA", " x ", "0x10", "2020-01-01"])
def test_a_cell_is_text_as_it_stands_there(tmp_path: Path, value: str) -> None:
    (tmp_path / "a.csv").write_text("anchor,positive\n" + "a,b\n" * 10_000 + f"{value},{value}\n" * 3)
    table = load_triplets(str(tmp_path / "a.csv"))
    assert table[10_000:]["anchor"] == table[10_000:]["positive"] == [value] * 3


def test_a_column_of_numbers_in_csv_is_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,anchor,positive\nx,01,2\ny,3,4.0\n")
    assert list(load_triplets(str(tmp_path / "a.csv"))) == [
        {"anchor": "01", "positive": "2"},
        {"anchor": "3", "positive": "4.0"},
    ]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("load", LOADERS)
def test_a_text_of_a_million_characters_is_read(tmp_path: Path, load: Load, suffix: str) -> None:
    long, path = "long text, " * 100_000, tmp_path / f"a.{suffix}"
    columns = ("anchor", "positive") if load is load_triplets else ("anchor", "candidate", "label")
    row = dict(zip(columns, (long, long, "1"), strict=False))
    if suffix == "jsonl":
        path.write_text(json.dumps(row))
    elif suffix == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist([row]), path)
    else:
        with path.open("w", newline="") as file:
            writer = csv.writer(file, delimiter="\t" if suffix == "tsv" else ",")
            writer.writerows([list(row), list(row.values())])
    found = load(str(path))
    assert (found["anchor"][0] if load is load_triplets else found.anchors[0]) == long


def test_lines_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MAX_LINE", 1000)
    for name in ("a.jsonl", "a.csv", "a.tsv"):
        assert "line 1 is longer than 1,000 characters" in told(tmp_path / name, "x" * 5000)


# bug: the columns were those of the first 10 MB
def test_a_negative_that_comes_late_is_read(tmp_path: Path) -> None:
    filler = json.dumps({"anchor": "a", "positive": "b" * 100_000}) + "\n"
    last = json.dumps({"anchor": "a", "positive": "b", "negative": "c", "id": 3})
    (tmp_path / "a.jsonl").write_text(filler * 120 + last + "\n")
    table = load_triplets(str(tmp_path / "a.jsonl"))
    assert table.column_names == ["anchor", "positive", "negative"]
    assert (table[0]["negative"], table[120]["negative"]) == (None, "c")


# bug: pandas and the csv module joined all rows up to the next quote
def test_in_tsv_a_line_is_a_row_and_a_single_quote_is_a_letter(tmp_path: Path) -> None:
    text = 'anchor\tpositive\n"He said\tx\nthen" y\t5" pipe\n"quoted ""so"""\t\'single\'\r\n"\t"\n'
    (tmp_path / "a.tsv").write_bytes(text.encode())
    assert [list(row.values()) for row in rows_of(tmp_path / "a.tsv")] == [
        ['"He said', "x"],
        ['then" y', '5" pipe'],
        ['quoted "so"', "'single'"],
        ['"', '"'],
    ]


def test_in_tsv_quotes_may_hold_tabs_and_line_feeds(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text('anchor\tpositive\n"a\tb"\tc\n"d\ne\tf"\tg\n\nh\ti\n')
    found = list(read_records(tmp_path / "a.tsv"))
    assert [list(row.values()) for _, row in found] == [["a\tb", "c"], ["d\ne\tf", "g"], ["h", "i"]]
    assert [place.rpartition(" ")[2] for place, _ in found] == ["2", "3", "6"]
    assert "line 3: 3 fields under a header of 2" in told(tmp_path / "b.tsv", 'a\tb\nx\ty\n"a\tb\tc\nd\te\n')


# bug: a row whose last field holds a line feed was refused, or its first line taken for all of it
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_in_tsv_the_last_field_may_hold_line_feeds(tmp_path: Path, end: str) -> None:
    lines = ["anchor\tpositive", 'a\t"two', 'lines"', 'b\t"Hello', "c\td", 'e\t"5" pipe', ""]
    (tmp_path / "a.tsv").write_bytes(end.join(lines).encode())
    read = [list(row.values()) for row in rows_of(tmp_path / "a.tsv")]
    assert read == [["a", f"two{end}lines"], ["b", '"Hello'], ["c", "d"], ["e", '"5" pipe']]
    assert "line 2: its last field opens a quote that nothing ends" in told(tmp_path / "b.tsv", 'a\tb\nx\t"y\nz\n')


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=8)
ONE_LINE = CELLS.filter(lambda cell: "\n" not in cell)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(CELLS, ONE_LINE), min_size=1, max_size=5))
@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, suffix: str, rows: Any) -> None:
    """Any text in any format; in TSV where no line within quotes passes for a row, which ends where its line does."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    assume(suffix != "tsv" or not any("\t" in first and "\n" in first for first, _ in rows))
    path = tmp_path_factory.mktemp("any") / f"a.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.table({"a": [a for a, _ in rows], "b": [b for _, b in rows]}), path)
    elif suffix == "jsonl":
        path.write_text("".join(json.dumps({"a": a, "b": b}, ensure_ascii=False) + "\n" for a, b in rows))
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            quoting = csv.writer(file, delimiter="\t" if suffix == "tsv" else ",", quoting=csv.QUOTE_ALL)
            quoting.writerows([("a", "b"), *rows])
    assert [(row["a"], row["b"]) for row in rows_of(path)] == rows


# bug: b[1].csv was read as a pattern, which b1.csv matches
def test_files_are_opened_by_their_exact_name(tmp_path: Path) -> None:
    for name in ("b1.csv", "b[1].csv"):
        (tmp_path / name).write_text(f"anchor,positive\n{name},b\n")
    assert load_triplets(str(tmp_path / "b[1].csv"))["anchor"][0] == "b[1].csv"
    for load in LOADERS:
        for name in ("b*.csv", "b?.csv", "[b]1.csv"):
            with pytest.raises(UserError, match="no such file"):
                load(str(tmp_path / name))


# bug: OSError, UnicodeEncodeError and others reached the user as tracebacks
@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize(
    "name", ["x" * 5000 + ".csv", "a/" * 3000 + "b.csv", "nul\0.csv", "~nobody-of-that-name/a.csv", "://", "://x.csv"]
)
def test_a_name_that_no_file_can_have_is_told(load: Load, name: str) -> None:
    with pytest.raises(UserError) as error:
        load(name)
    assert len(str(error.value)) < 400 or "\0" in name


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_a_binary_file_is_told(tmp_path: Path, load: Load, suffix: str) -> None:
    (tmp_path / f"a.{suffix}").write_bytes(bytes(range(256)) * 40)
    with pytest.raises(UserError, match=rf"a.{suffix}: (not UTF-8 text|not valid Parquet)"):
        load(str(tmp_path / f"a.{suffix}"))


def broken_utf8(path: Path, columns: list[str]) -> Path:
    """Parquet whose strings are not UTF-8, as a careless writer leaves them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    bad = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff\xfe"]).buffers())
    pq.write_table(pa.table([bad for _ in columns], names=columns), path)
    return path


# bug: UnicodeDecodeError reached the user as a traceback
def test_parquet_that_is_not_utf8_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a.parquet: not valid Parquet"):
        load_triplets(str(broken_utf8(tmp_path / "a.parquet", ["anchor", "positive"])))
    with pytest.raises(UserError, match=r"b.parquet: not valid Parquet"):
        load_near_misses(str(broken_utf8(tmp_path / "b.parquet", ["anchor", "candidate", "label"])))


def test_parquet_with_a_column_twice_is_told(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table([["a"], ["b"], ["c"]], names=["anchor", "positive", "anchor"]), tmp_path / "a.parquet")
    with pytest.raises(UserError, match="the column 'anchor' stands there 2 times"):
        load_triplets(str(tmp_path / "a.parquet"))


@settings(max_examples=60, deadline=None)
@given(
    content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass")))
)
@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_any_bytes_are_rows_or_one_line(tmp_path_factory: pytest.TempPathFactory, suffix: str, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / f"a.{suffix}"
    path.write_bytes(content)
    with suppress(UserError):
        assert all(isinstance(row, dict) for row in rows_of(path))


def test_a_parquet_file_with_fewer_rows_than_it_says_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bug: of two columns of which one was damaged no row was read, without a word."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"anchor": ["a", "b"], "candidate": ["c", "d"]}), path)
    assert len(list(read_records(path))) == 2
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", lambda *_, **__: iter(()))
    with pytest.raises(UserError, match=r"rows.parquet: damaged: 0 rows can be read of the 2 that it says"):
        list(read_records(path))
