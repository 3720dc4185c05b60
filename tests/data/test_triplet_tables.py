"""Triplet tables: the same rows from every format, the names of columns, and errors that name the line."""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from compret.data.triplet_tables import load_triplets
from compret.types import UserError

pytestmark = pytest.mark.usefixtures("fresh_cache")

Row = Mapping[str, str]

ROWS: list[Row] = [
    {"anchor": "the dog, that bit", "positive": 'a "dog" bit', "negative": "the man\tbit"},
    {"anchor": "line one\nline two", "positive": "größer than 猫 🐈", "negative": "no"},
    {"anchor": " spaces stay ", "positive": "'single'", "negative": "1.50"},
]


def separated(path: Path, rows: Sequence[Row]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
        writer.writeheader()
        writer.writerows(rows)
    return path


def json_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def parquet(path: Path, rows: Sequence[Row]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), path)
    return path


def saved(path: Path, rows: Sequence[Row]) -> Path:
    from datasets import Dataset

    Dataset.from_list([dict(row) for row in rows]).save_to_disk(str(path))
    return path


def saved_splits(path: Path, rows: Sequence[Row]) -> Path:
    from datasets import Dataset, DatasetDict

    part = Dataset.from_list([dict(row) for row in rows])
    DatasetDict({"test": part.select([0]), "train": part}).save_to_disk(str(path))
    return path


FORMATS: list[tuple[str, Callable[[Path, Sequence[Row]], Path]]] = [
    ("a.csv", separated),
    ("a.tsv", separated),
    ("a.jsonl", json_lines),
    ("a.json", json_lines),
    ("a.parquet", parquet),
    ("a.pq", parquet),
    ("folder", saved),
    ("splits", saved_splits),
]


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [dict(row) for row in load_triplets(str(path))]


@pytest.mark.parametrize(("name", "write"), FORMATS, ids=[name for name, _ in FORMATS])
def test_every_format_gives_the_same_rows(
    tmp_path: Path, name: str, write: Callable[[Path, Sequence[Row]], Path]
) -> None:
    table = load_triplets(str(write(tmp_path / name, ROWS)))
    assert table.column_names == ["anchor", "positive", "negative"]
    assert [dict(row) for row in table] == ROWS


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet", "folder"])
def test_rows_are_memory_mapped(tmp_path: Path, name: str) -> None:
    from datasets.table import MemoryMappedTable

    table = load_triplets(str(dict(FORMATS)[name](tmp_path / name, ROWS)))
    assert isinstance(table.data, MemoryMappedTable)
    assert [Path(file["filename"]).suffix for file in table.cache_files] == [".arrow"]


def test_a_file_that_changed_is_read_anew(tmp_path: Path) -> None:
    for count in (1, 3, 2):
        assert len(rows_of(json_lines(tmp_path / "a.jsonl", ROWS[:count]))) == count


def test_a_folder_of_files_is_read(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    separated(tmp_path / "folder" / "train.csv", ROWS)
    separated(tmp_path / "folder" / "test.csv", ROWS[:1])
    assert rows_of(tmp_path / "folder") == ROWS


def test_other_columns_are_left_out_and_a_category_stays(tmp_path: Path) -> None:
    path = json_lines(tmp_path / "a.jsonl", [{"id": 7, "category": "x", "positive": "b", "score": 0.5, "anchor": "a"}])
    assert rows_of(path) == [{"anchor": "a", "positive": "b", "category": "x"}]


@pytest.mark.parametrize(("name", "write"), FORMATS, ids=[name for name, _ in FORMATS])
def test_two_sentences_are_identity_rows(
    tmp_path: Path, name: str, write: Callable[[Path, Sequence[Row]], Path]
) -> None:
    path = write(tmp_path / name, [{"sentence1": "a", "sentence2": "b"}, {"sentence1": "c", "sentence2": "d"}])
    assert rows_of(path) == [
        {"anchor": "a", "positive": "a", "negative": "b"},
        {"anchor": "c", "positive": "c", "negative": "d"},
    ]


@pytest.mark.parametrize(
    "names", [("query", "answer"), ("question", "answer"), ("query", "passage"), ("anchor", "answer")]
)
def test_aliases(tmp_path: Path, names: tuple[str, str]) -> None:
    path = json_lines(tmp_path / "a.jsonl", [dict(zip(names, ("a", "b"), strict=True))])
    assert rows_of(path) == [{"anchor": "a", "positive": "b"}]


def test_an_alias_gives_way_to_the_column_itself(tmp_path: Path) -> None:
    path = json_lines(tmp_path / "a.jsonl", [{"query": "q", "anchor": "a", "positive": "b", "answer": "c"}])
    assert rows_of(path) == [{"anchor": "a", "positive": "b"}]


# bug: rename_columns and add_column raise ValueError, which reaches the user as a traceback
@pytest.mark.parametrize(
    "names",
    [
        ("query", "question", "answer"),
        ("query", "answer", "passage"),
        ("sentence1", "sentence2", "positive"),
        ("sentence1", "sentence2", "negative"),
    ],
    ids=" ".join,
)
def test_two_columns_of_one_role_are_read_or_told_as_a_mistake(tmp_path: Path, names: tuple[str, ...]) -> None:
    with contextlib.suppress(UserError):
        load_triplets(str(json_lines(tmp_path / "a.jsonl", [dict.fromkeys(names, "text")])))


@pytest.mark.parametrize("column", ["anchor", "positive"])
@pytest.mark.parametrize(("name", "write"), FORMATS, ids=[name for name, _ in FORMATS])
def test_a_missing_column_is_named(
    tmp_path: Path, name: str, write: Callable[[Path, Sequence[Row]], Path], column: str
) -> None:
    path = write(tmp_path / name, [{k: v for k, v in row.items() if k != column} for row in ROWS])
    with pytest.raises(UserError, match=rf"{name}: no column '{column}' \(it has .*negative\)"):
        load_triplets(str(path))


@pytest.mark.parametrize("column", ["anchor", "positive"])
@pytest.mark.parametrize(
    ("name", "place", "blank"),
    [
        *itertools.product(["a.csv"], ["line 3"], ["", "  ", "\t\n"]),
        *itertools.product(["a.tsv"], ["line 3"], ["", "  "]),
        *itertools.product(["a.jsonl"], ["line 2"], ["", "  ", "\t\n"]),
    ],
)
def test_a_blank_text_is_named_with_its_line(tmp_path: Path, name: str, place: str, column: str, blank: str) -> None:
    rows = [{"anchor": "a", "positive": "b"}, {"anchor": "c", "positive": "d"}, {"anchor": "e", "positive": "f"}]
    path = dict(FORMATS)[name](tmp_path / name, [rows[0], {**rows[1], column: blank}, rows[2]])
    with pytest.raises(UserError, match=rf"{name}: {place}, column '{column}' is empty"):
        load_triplets(str(path))


@pytest.mark.parametrize("name", ["a.parquet", "folder"])
def test_a_blank_text_is_named_with_its_row_where_there_are_no_lines(tmp_path: Path, name: str) -> None:
    path = dict(FORMATS)[name](tmp_path / name, [{"anchor": "a", "positive": "b"}, {"anchor": " ", "positive": "b"}])
    with pytest.raises(UserError, match=rf"{name}: row 1, column 'anchor' is empty"):
        load_triplets(str(path))


def test_a_negative_may_be_missing_or_blank(tmp_path: Path) -> None:
    rows = [{"anchor": "a", "positive": "b", "negative": n} for n in ("c", None, "", " \t")]
    assert [row["negative"] for row in rows_of(json_lines(tmp_path / "a.jsonl", rows))] == ["c", None, None, None]


# bug: a column of nothing is inferred as null or double, and refused as "not text"
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "anchor,positive,negative\na,b,\nc,d,\n"),
        ("a.jsonl", '{"anchor": "a", "positive": "b", "negative": null}\n' * 2),
    ],
)
def test_every_negative_may_be_missing(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert not any(row.get("negative") for row in rows_of(tmp_path / name))


# bug: pandas reads these words as missing values
@pytest.mark.parametrize("word", ["None", "null", "NA", "nan"])
def test_words_that_pandas_takes_for_nothing_are_text(tmp_path: Path, word: str) -> None:
    rows = [{"anchor": word, "positive": "b"}, {"anchor": "c", "positive": word}]
    assert rows_of(separated(tmp_path / "a.csv", rows)) == rows


# bug: the line is counted from the row number, so blank lines and texts of several lines shift it
@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("a.jsonl", '{"anchor": "a", "positive": "b"}\n\n\n{"anchor": "", "positive": "b"}\n', 4),
        ("a.csv", 'anchor,positive\n"a\nb\nc",d\n,e\n', 5),
    ],
)
def test_the_line_of_a_blank_text_is_that_of_an_editor(tmp_path: Path, name: str, text: str, line: int) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=f"{name}: line {line}, column 'anchor' is empty"):
        load_triplets(str(tmp_path / name))


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.parquet"])
def test_an_empty_file_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(UserError, match=f"{name}: the file is empty"):
        load_triplets(str(tmp_path / name))


# bug: told as "cannot be read as csv (Instruction "train" corresponds to no data!)" and "(BatchSize must be ...)"
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_a_file_without_rows_is_told(tmp_path: Path, name: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if name == "a.parquet":
        pq.write_table(
            pa.table({column: pa.array([], pa.string()) for column in ("anchor", "positive")}), tmp_path / name
        )
    else:
        (tmp_path / name).write_text("anchor,positive\n" if name == "a.csv" else "\n\n")
    with pytest.raises(UserError, match=f"{name}: no rows"):
        load_triplets(str(tmp_path / name))


# bug: datasets raises IndexError, which reaches the user as a traceback
def test_a_saved_folder_without_rows_is_told(tmp_path: Path) -> None:
    from datasets import Dataset

    Dataset.from_dict({"anchor": [], "positive": []}).save_to_disk(str(tmp_path / "folder"))
    with pytest.raises(UserError, match="folder: no rows"):
        load_triplets(str(tmp_path / "folder"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [('{"anchor": "a", "positive"}', "line 3: not valid JSON"), ('["a", "b"]', "line 3: a row must be an object")],
)
def test_invalid_json_names_its_line(tmp_path: Path, line: str, expected: str) -> None:
    good = '{"anchor": "a", "positive": "b"}\n'
    (tmp_path / "a.jsonl").write_text(good * 2 + line + "\n" + good)
    with pytest.raises(UserError, match=f"a.jsonl: {expected}"):
        load_triplets(str(tmp_path / "a.jsonl"))


def test_invalid_parquet_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(UserError, match=r"a.parquet: not valid Parquet"):
        load_triplets(str(tmp_path / "a.parquet"))


# bug: UnicodeDecodeError or ArrowInvalid reaches the user as a traceback
@pytest.mark.parametrize(
    ("name", "text"), [("a.csv", "anchor,positive\né,b\n"), ("a.jsonl", '{"anchor": "é", "positive": "b"}\n')]
)
def test_bytes_that_are_not_utf8_are_told(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=name):
        load_triplets(str(tmp_path / name))


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("anchor,positive\na,b\n", encoding="utf-8-sig")
    assert rows_of(tmp_path / "a.csv") == [{"anchor": "a", "positive": "b"}]


@pytest.mark.parametrize("column", ["anchor", "positive", "negative"])
def test_a_column_of_numbers_is_not_text(tmp_path: Path, column: str) -> None:
    row: dict[str, object] = {"anchor": "a", "positive": "b", "negative": "c"}
    with pytest.raises(UserError, match=f"a.jsonl: line 1: column '{column}' holds a number, not text"):
        load_triplets(str(json_lines(tmp_path / "a.jsonl", [{**row, column: 3}])))


def test_an_unknown_suffix_names_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("text")
    with pytest.raises(UserError, match=r"a.xml: '.xml' is not known; use .jsonl, .json, .csv"):
        load_triplets(str(tmp_path / "a.xml"))


def test_a_folder_without_data_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: no dataset can be read in this folder"):
        load_triplets(str(tmp_path / "empty"))


@pytest.mark.parametrize("name", ["structneg", "none"])
def test_pydoc_has_retrieval_alone(name: str) -> None:
    with pytest.raises(UserError, match=f"pydoc:{name}: PyDoc has pydoc:retrieval alone; .* minimal_pairs:train"):
        load_triplets(f"pydoc:{name}")


@pytest.mark.parametrize("names", [("sentence1", "sentence2"), ("anchor", "candidate")])
@pytest.mark.parametrize(("name", "write"), FORMATS, ids=[name for name, _ in FORMATS])
def test_a_labelled_pair_has_a_positive_or_a_negative(
    tmp_path: Path, name: str, write: Callable[[Path, Sequence[Row]], Path], names: tuple[str, str]
) -> None:
    rows = [{names[0]: "a", names[1]: "b", "label": "0", "category": "x"}, {names[0]: "c", names[1]: "d", "label": "1"}]
    table = load_triplets(str(write(tmp_path / name, [{"category": None, **row} for row in rows])))
    assert list(table) == [
        {"anchor": "a", "positive": None, "negative": "b", "category": "x"},
        {"anchor": "c", "positive": "d", "negative": None, "category": "all"},
    ]


# bug: the label was dropped, and training took each pair of label 0 for a positive
@pytest.mark.parametrize(
    "columns", [("anchor", "positive"), ("anchor", "candidate", "negative"), ("sentence1", "candidate"), ("anchor",)]
)
def test_a_label_beside_triplets_is_refused(tmp_path: Path, columns: Sequence[str]) -> None:
    path = json_lines(tmp_path / "a.jsonl", [{**dict.fromkeys(columns, "a"), "label": 1}])
    with pytest.raises(UserError, match=r"a.jsonl: labelled pairs are anchor, candidate, label"):
        load_triplets(str(path))


def test_a_candidate_wants_a_label(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a.jsonl: labelled pairs are anchor, candidate, label"):
        load_triplets(str(json_lines(tmp_path / "a.jsonl", [{"anchor": "a", "candidate": "b"}])))


@pytest.mark.parametrize("label", [1, 0, "", None, 2, "yes"])
def test_a_label_that_comes_late_or_is_none_is_refused(tmp_path: Path, label: object) -> None:
    row = {"sentence1": "a", "sentence2": "b"}
    first = {**row, "label": 1} if label not in (0, 1) else row
    with pytest.raises(
        UserError, match=r"a.jsonl: line 3: (labelled pairs and triplets in one file|label '.*' must be)"
    ):
        load_triplets(str(json_lines(tmp_path / "a.jsonl", [first, first, {**row, "label": label}])))


def test_numbers_that_the_loss_needs_stand_beside_the_texts(tmp_path: Path) -> None:
    rows = [{"anchor": "a", "positive": "b", "teacher": value} for value in (0.25, "-1e3", 7, None, " ")]
    table = load_triplets(str(json_lines(tmp_path / "a.jsonl", rows)), ["teacher"])
    assert table["teacher"][:] == [0.25, -1000.0, 7.0, None, None]
    assert "teacher" not in load_triplets(str(tmp_path / "a.jsonl")).column_names


@pytest.mark.parametrize("value", ["high", "nan", "inf", True, [1]])
def test_a_number_is_finite(tmp_path: Path, value: object) -> None:
    path = json_lines(tmp_path / "a.jsonl", [{"anchor": "a", "positive": "b", "teacher": value}])
    with pytest.raises(UserError, match="a.jsonl: line 1: column 'teacher' holds .*, not a finite number"):
        load_triplets(str(path), ["teacher"])


def test_a_column_that_the_loss_needs_must_be_there(tmp_path: Path) -> None:
    path = json_lines(tmp_path / "a.jsonl", [{"anchor": "a", "positive": "b"}])
    with pytest.raises(UserError, match="a.jsonl: line 1: no column 'teacher', which model.loss needs"):
        load_triplets(str(path), ["teacher"])
    with pytest.raises(UserError, match="minimal_pairs:train: has no column 'teacher', which model.loss needs"):
        load_triplets("minimal_pairs:train", ["teacher"])


def test_what_is_said_of_a_negative_no_labelled_pair_has(tmp_path: Path) -> None:
    rows = [{"anchor": "a", "candidate": "b", "label": i, "teacher": i - 0.5} for i in (0, 1)]
    table = load_triplets(str(json_lines(tmp_path / "a.jsonl", rows)), ["teacher", "teacher_negative"])
    assert table["teacher"][:] == [-0.5, 0.5]
    assert "teacher_negative" not in table.column_names


@pytest.mark.parametrize("value", [["a", "b"], {"text": "a"}, True, 3.5])
@pytest.mark.parametrize("column", ["anchor", "positive", "negative"])
def test_lists_and_objects_are_no_text(tmp_path: Path, column: str, value: object) -> None:
    row: dict[str, object] = {"anchor": "a", "positive": "b", column: value}
    with pytest.raises(UserError, match=f"a.jsonl: line 1: column '{column}' holds a[n]? .*, not text"):
        load_triplets(str(json_lines(tmp_path / "a.jsonl", [row])))


@pytest.mark.parametrize("column", ["anchor", "positive", "negative", "category"])
def test_half_a_surrogate_pair_is_no_text(tmp_path: Path, column: str) -> None:
    row = {"anchor": "a", "positive": "b", column: "x\ud800y"}
    with pytest.raises(UserError, match=f"a.jsonl: line 2: column '{column}' holds half of a surrogate pair"):
        load_triplets(str(json_lines(tmp_path / "a.jsonl", [ROWS[0], row])))


@pytest.mark.parametrize(
    ("category", "read"),
    [(0, "0"), (7, "7"), (False, "False"), (" x ", "x"), ("", None), (None, None), ("  ", None), (math.nan, None)],
)
def test_a_category_is_text(tmp_path: Path, category: object, read: str | None) -> None:
    row = {"anchor": "a", "positive": "b", "category": category}
    (found,) = rows_of(json_lines(tmp_path / "a.jsonl", [row]))
    assert found.get("category") == read


def test_identity_rows_are_told_each_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = json_lines(tmp_path / "a.jsonl", [{"sentence1": "a", "sentence2": "b"}])
    for _ in range(2):
        caplog.clear()
        with caplog.at_level("INFO", "compret"):
            load_triplets(str(path))
        assert "identity rows" in caplog.text
