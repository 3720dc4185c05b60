"""Folders of retrieval sets and of rows, with values, bytes and files changed: what was meant, or one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compret.data import NanoBEIR
from compret.data.nevir import load_nevir
from compret.data.triplet_tables import load_triplets
from compret.types import UserError
from tests.conftest import write_lines
from tests.fuzz.cases import ODD, break_file, cases, check_line, one_of
from tests.fuzz.test_rows import RefusedError, Row, Table, a_text

IDS = [*("d1", "a b", "ü/1", "007", "1e3", "%20", "-", "null", "\u2028", "x" * 300), 3, 12]
Parts = dict[str, Table]
Meant = tuple[dict[str, str], dict[str, str], dict[str, dict[str, int]]]


def some_parts(rng: np.random.Generator) -> Parts:
    """Documents, queries and judgements, with ids that are legal and odd."""
    ids = [IDS[i] for i in rng.permutation(len(IDS))[: int(rng.integers(3, 8))]]
    corpus = [{"_id": i, "title": one_of(["", "title"], rng), "text": f"text {n}"} for n, i in enumerate(ids)]
    corpus[int(rng.integers(len(ids)))] |= one_of([{}, {"title": "", "text": ""}], rng)
    queries = [{"_id": i, "text": f"query {n}"} for n, i in enumerate(ids[:3])]
    qrels = [{"query-id": q["_id"], "corpus-id": d, "score": int(rng.integers(3))} for q in queries for d in ids[:2]]
    return {"corpus": corpus, "queries": queries, "qrels": qrels}


def an_id(value: Any) -> str:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else a_text(value)


def a_cell(value: Any, absent: str | None) -> str:
    if value is None and absent is not None:
        return absent
    if not isinstance(value, str) or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise RefusedError
    return value


def a_grade(value: Any) -> int:
    """A whole number, as a number or as a table's text."""
    try:
        grade = float(value)
    except (TypeError, ValueError, OverflowError):
        raise RefusedError from None
    if not grade.is_integer() or abs(grade) > 1e6:
        raise RefusedError
    return int(grade)


def by_id(rows: Table, text: Callable[[Row], str]) -> dict[str, str]:
    found = {an_id(row.get("_id")): text(row) for row in rows}
    if len(found) < len(rows) or not rows:
        raise RefusedError
    return found


def titled(row: Row) -> str:
    title, text = a_cell(row.get("title"), ""), a_cell(row.get("text"), None)
    return f"{title} {text}".strip() if title else text


def meant(parts: Parts) -> Meant:
    """Texts that are not empty, of judged queries only, and judgements of known ids."""
    documents = by_id(parts["corpus"], titled)
    queries = by_id(parts["queries"], lambda row: a_cell(row.get("text"), None))
    qrels: dict[str, dict[str, int]] = {}
    for row in parts["qrels"]:
        query, grade = an_id(row.get("query-id")), a_grade(row.get("score", 1))
        found = row.get("corpus-id")
        for document in map(an_id, found if isinstance(found, list) else [found]):
            before = qrels.setdefault(query, {}).setdefault(document, grade)
            if query not in queries or document not in documents or before != grade:
                raise RefusedError
    if not qrels:
        raise RefusedError
    return documents, queries, qrels


def changed(parts: Parts, rng: np.random.Generator) -> Parts:
    """With one value, one row or one file's rows changed."""
    rows = parts[one_of(list(parts), rng)]
    row = one_of(rows, rng)
    column = one_of(list(row), rng)
    match int(rng.integers(6)):
        case 0:
            del row[column]
        case 1:
            rows.append(dict(row))
        case 2:
            rows.clear()
        case 3:
            row["another"] = [1, {"a": None}]
        case _:
            row[column] = one_of(ODD, rng)
    return parts


def beir(root: Path, parts: Parts) -> list[str]:
    """BEIR's own layout, whose judgements are TSV."""
    write_lines(root / "zoo" / "corpus.jsonl", parts["corpus"])
    write_lines(root / "zoo" / "queries.jsonl", parts["queries"])
    columns = ["query-id", "corpus-id", "score"]
    lines = ["\t".join(columns)]
    for row in parts["qrels"]:
        cells = [row.get(column) for column in columns]
        if any(not isinstance(cell, str | int) or cell is True or cell is False for cell in cells):
            raise RefusedError
        lines.append("\t".join(map(str, cells)))
    (root / "zoo" / "qrels").mkdir()
    (root / "zoo" / "qrels" / "test.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="")
    return ["zoo"]


def nano(root: Path, parts: Parts) -> list[str]:
    """NanoBEIR-en's layout: a folder a config, a file a split, as its README says."""
    for part, rows in parts.items():
        write_lines(root / part / "NanoNQ.jsonl", rows)
    configs = [
        f"- config_name: {part}\n  data_files:\n  - split: NanoNQ\n    path: {part}/NanoNQ.jsonl" for part in parts
    ]
    (root / "README.md").write_text("---\nconfigs:\n" + "\n".join(configs) + "\n---\n")
    return ["nq"]


@pytest.mark.parametrize("seed", cases(150))
@pytest.mark.parametrize("layout", [beir, nano])
def test_a_retrieval_set_is_what_was_meant(
    tmp_path: Path, layout: Callable[[Path, Parts], list[str]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    parts = some_parts(rng)
    parts = changed(parts, rng) if rng.random() < 0.8 else parts
    try:
        names = layout(tmp_path, parts)
    except (RefusedError, UnicodeError):
        return  # no TSV says that
    try:
        expected: Meant | None = meant(parts)
    except RefusedError:
        expected = None
    try:
        read = NanoBEIR(str(tmp_path), names).load(0)
    except UserError as error:
        check_line(error)
        assert expected is None, f"refused: {error}"  # noqa: PT017
    else:
        assert expected is not None
        documents, queries, qrels = expected
        assert dict(zip(read.document_ids, read.documents, strict=True)) == {k: v for k, v in documents.items() if v}
        kept = {k: v for k, v in queries.items() if v and k in qrels}
        assert dict(zip(read.query_ids, read.queries, strict=True)) == kept
        assert read.qrels == {k: v for k, v in qrels.items() if k in kept}
        assert read.counts["dropped_empty_documents"] == sum(not v for v in documents.values())
        assert read.counts["dropped_empty_queries"] == sum(not v for v in queries.values())


def parquet(folder: Path, rows: Table) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (folder / "data").mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / "data" / "train-00000.parquet")


def declared(folder: Path, rows: Table) -> None:
    write_lines(folder / "rows.jsonl", rows)
    (folder / "README.md").write_text("---\nconfigs:\n- config_name: default\n  data_files: rows.jsonl\n---\n")


def saved(folder: Path, rows: Table) -> None:
    from datasets import Dataset

    Dataset.from_list(rows).save_to_disk(str(folder))


FOLDERS: list[Callable[[Path, Table], None]] = [parquet, declared, saved]
ROWS = [{"anchor": f"a {i}", "positive": f"p {i}", "q1": "a", "q2": "b", "doc1": "c", "doc2": "d"} for i in range(5)]
NAMES = ["train.jsonl", "README.md", "state.json", "run.py", "data/more.jsonl", "rows.csv", ".hidden.jsonl"]
CONTENTS = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b"\x00\xff",
    b"---\nconfigs: 3\n---\n",
    b"---\nconfigs:\n- data_files: ../x\n---\n",
]


@pytest.mark.parametrize("seed", cases(50))
@pytest.mark.parametrize("make", FOLDERS)
def test_a_folder_of_rows_is_read_whole_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path, Table], None], seed: int
) -> None:
    """A file in it is damaged, gone, a link to elsewhere, or another one lies beside; its code is never run."""
    rng = np.random.default_rng(seed)
    folder = tmp_path / "run"
    make(folder, ROWS)
    monkeypatch.chdir(tmp_path)
    file = one_of(sorted(path for path in folder.rglob("*") if path.is_file()), rng)
    what = one_of(["damaged", "gone", "a link", "beside", "code"], rng)
    if what == "damaged":
        break_file(file, rng)
    elif what == "gone":
        file.unlink()
    elif what == "a link":
        file.unlink()
        file.symlink_to(one_of(["/etc/passwd", "/dev/zero", file.name, "../../elsewhere"], rng))
    elif what == "beside":
        beside = folder / one_of(NAMES, rng)
        beside.parent.mkdir(exist_ok=True)
        beside.write_bytes(one_of(CONTENTS, rng))
    else:
        (folder / "run.py").write_text("open('canary', 'w')")
    for read in (lambda: len(load_triplets(str(folder))), lambda: len(load_nevir(str(folder), "train").queries)):
        try:
            rows = read()
        except UserError as error:
            check_line(error)
        else:
            assert rows == len(ROWS) or what in ("damaged", "beside")
            assert what != "code"
    assert not (tmp_path / "canary").exists()
