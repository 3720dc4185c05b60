"""Rows of small files (JSON lines, CSV, TSV, Parquet) one by one, each with the place to name in an error."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import xxhash

from compret.types import UserError

Record: TypeAlias = tuple[str, dict[str, Any]]
"""(place such as `a.jsonl: line 3`, row)."""


def read_records(path: Path) -> Iterator[Record]:
    """Rows of a file in order.

    Raises:
        UserError: no such file, an empty file, an unknown suffix, or a line that cannot be read.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty")
    match path.suffix:
        case ".jsonl" | ".json":
            return _decoded(path, _json_lines(path))
        case ".csv" | ".tsv":
            return _decoded(path, _separated(path, "\t" if path.suffix == ".tsv" else ","))
        case ".parquet" | ".pq":
            return _parquet(path)
    raise UserError(f"{path}: '{path.suffix}' is not known; use .jsonl, .csv, .tsv or .parquet")


def text_field(place: str, row: dict[str, Any], *names: str) -> str:
    """The first of the named columns that the row has, as text.

    Raises:
        UserError: the row has none of them, or it holds no text.
    """
    for name in names:
        if row.get(name) is not None:
            return str(row[name])
    raise UserError(f"{place}: no column '{names[0]}' (it has {', '.join(map(str, row)) or 'none'})")


def fingerprint(parts: Iterable[str]) -> str:
    """128-bit hash of a sequence of texts, as 32 hexadecimal digits."""
    digest = xxhash.xxh3_128()
    for part in parts:
        digest.update(part.encode("utf-8", "surrogatepass"))
        digest.update(b"\x00")
    return digest.hexdigest()


def _decoded(path: Path, records: Iterator[Record]) -> Iterator[Record]:
    try:
        yield from records
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error


def _json_lines(path: Path) -> Iterator[Record]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            place = f"{path}: line {number}"
            try:
                row = json.loads(line)
            except ValueError as error:
                raise UserError(f"{place}: not valid JSON ({error})") from error
            if not isinstance(row, dict):
                raise UserError(f"{place}: a row must be an object with named columns")
            yield place, row


def _separated(path: Path, separator: str) -> Iterator[Record]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter=separator)
        try:
            first = reader.line_num + 1 if reader.fieldnames else 1
            for row in reader:
                yield f"{path}: line {first}", {k: v for k, v in row.items() if k is not None}
                first = reader.line_num + 1
        except csv.Error as error:
            raise UserError(f"{path}: line {reader.line_num}: {error}") from error


def _parquet(path: Path) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        batches = pq.ParquetFile(path).iter_batches()
        rows = (row for batch in batches for row in batch.to_pylist())
        yield from ((f"{path}: row {number}", row) for number, row in enumerate(rows))
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: not valid Parquet ({error})") from error
