"""The one reader of files of rows (JSON lines, CSV, TSV, Parquet): rows with the place to name in an error.

What a file holds is checked here, before any library sees it. A cell of CSV or TSV is text, as it stands there.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, TypeAlias

import xxhash

from compret.files import local_path
from compret.types import UserError

Record: TypeAlias = tuple[str, dict[str, Any]]
"""(place such as `a.jsonl: line 3`, row)."""
NumberedFields: TypeAlias = Iterator[tuple[int, list[str]]]
"""(line that the row begins in, its fields)."""

MAX_LINE = 1 << 26
"""Characters that a line or a field may have: 64 million."""
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')


def read_records(path: Path) -> Iterator[Record]:
    """Rows of a file in order, its columns' names without blanks around them.

    In CSV a row has as many fields as the header. In TSV a line with as many fields as the header is a row, and only a
    field that starts and ends with a quote is quoted; other lines are read like CSV, so that quotes may hold tabs and
    line feeds, and so is a line whose last field opens a quote where no row follows.

    Raises:
        UserError: no such file, an empty file, an unknown suffix, or a line that cannot be read.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if path.suffix not in READERS:
        raise UserError(f"{path}: '{path.suffix}' is not known; use {', '.join(READERS)}")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty")
    return READERS[path.suffix](path)


def real_place(source: str) -> str:
    """A file's or folder's real path; other sources as they are written."""
    path = local_path(source)
    return str(path.resolve()) if path.exists() else source


def fingerprint(parts: Iterable[str]) -> str:
    """128-bit hash of a sequence of texts, as 32 hexadecimal digits."""
    digest = xxhash.xxh3_128()
    for part in parts:
        digest.update(part.encode("utf-8", "surrogatepass"))
        digest.update(b"\x00")
    return digest.hexdigest()


def file_fingerprint(path: Path) -> str:
    """128-bit hash of a file's bytes and the kind of file that it is read as."""
    digest = xxhash.xxh3_128(path.suffix.encode())
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def root_cause(error: BaseException) -> str:
    """The first line of what went wrong first."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def _lines(path: Path, newline: str) -> Iterator[str]:
    """Lines of bounded length, without a byte order mark."""
    number = 0
    try:
        with path.open(encoding="utf-8-sig", newline=newline) as file:
            while line := file.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    raise UserError(f"{path}: line {number} is longer than {MAX_LINE:,} characters")
                yield line
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason}, after line {number})") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error


def _json_lines(path: Path) -> Iterator[Record]:
    for number, line in enumerate(_lines(path, "\n"), 1):
        if line.strip():
            place = f"{path}: line {number}"
            yield place, _json_row(place, line)


def _json_row(place: str, line: str) -> dict[str, Any]:
    try:
        row = _DECODER.decode(line)
    except RecursionError as error:
        raise UserError(f"{place}: not valid JSON (nested too deeply)") from error
    except ValueError as error:
        raise UserError(f"{place}: not valid JSON ({error})") from error
    if not isinstance(row, dict):
        raise UserError(f"{place}: a row must be an object with named columns, one a line")
    return row


def _json_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(zip(_names([name for name, _ in pairs]), (value for _, value in pairs), strict=True))


_DECODER = json.JSONDecoder(object_pairs_hook=_json_object)


def _csv(path: Path) -> Iterator[Record]:
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE))
    return _table(path, _csv_rows(path))


def _csv_rows(path: Path) -> NumberedFields:
    reader, first = csv.reader(_lines(path, ""), strict=True), 1
    try:
        for fields in reader:
            yield first, fields
            first = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{path}: line {first}: {error}; a quote in a quoted field is written twice") from error


def _tsv(path: Path) -> Iterator[Record]:
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE))
    return _table(path, _tsv_rows(path))


def _tsv_rows(path: Path) -> NumberedFields:
    ended = chain(enumerate(_lines(path, "\n"), 1), [(0, "")])
    pairs, width = pairwise(ended), 0
    for (number, line), (_, after) in pairs:
        fields = _tab_fields(line)
        width = width or len(fields)
        goes_on = _opens_a_quote(fields[-1]) and len(_tab_fields(after.strip() or line)) != width
        if len(fields) == width and not goes_on:
            yield number, [_unquoted(field) for field in fields]
            continue
        quoted = _quoted(line, (following for (_, following), _ in pairs))
        if quoted is None and len(fields) == width:
            raise UserError(f"{path}: line {number}: its last field opens a quote that nothing ends")
        yield number, quoted or fields


def _tab_fields(line: str) -> list[str]:
    return line.removesuffix("\n").removesuffix("\r").split("\t")


def _opens_a_quote(field: str) -> bool:
    return field.startswith('"') and not _QUOTED.fullmatch(field)


def _unquoted(field: str) -> str:
    found = _QUOTED.fullmatch(field) if field.startswith('"') else None
    return found[1].replace('""', '"') if found else field


def _quoted(line: str, following: Iterator[str]) -> list[str] | None:
    """The row that begins with a line if its tabs or line feeds are quoted; None if they are not."""
    try:
        return next(csv.reader(chain([line], following), delimiter="\t", strict=True))
    except csv.Error:
        return None


def _table(path: Path, rows: NumberedFields) -> Iterator[Record]:
    """Rows of fields as records, of the columns that the first of them names; blank lines are none."""
    header: list[str] | None = None
    for number, fields in rows:
        place = f"{path}: line {number}"
        if fields in ([], [""]):
            continue
        if header is None:
            header = _header(place, fields)
        elif len(fields) != len(header):
            raise UserError(
                f"{place}: {len(fields)} fields under a header of {len(header)}; "
                "a field that holds the separator, a quote or a line feed is written in quotes"
            )
        else:
            yield place, {name: field for name, field in zip(header, fields, strict=True) if name}


def _header(place: str, names: Sequence[str]) -> list[str]:
    try:
        return _names(names)
    except ValueError as error:
        raise UserError(f"{place}: {error}") from error


def _names(names: Sequence[str]) -> list[str]:
    """Names of columns without blanks around them; those of columns without a name may be equal.

    Raises:
        ValueError: two columns have one name.
    """
    stripped = [name.strip() for name in names]
    if len(set(stripped)) < len(stripped):
        (twice, count), *_ = Counter(name for name in stripped if name).most_common(1) or [("", 0)]
        if count > 1:
            raise ValueError(f"the column '{twice}' stands there {count} times")
    return stripped


def _parquet(path: Path) -> Iterator[Record]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file, read = pq.ParquetFile(path), 0
        for record in arrow_records(str(path), file.schema_arrow.names, file.iter_batches(batch_size=1000)):
            read += 1
            yield record
        if read != file.metadata.num_rows:  # of a damaged column pyarrow may give none, and no error
            raise UserError(f"{path}: damaged: {read} rows can be read of the {file.metadata.num_rows} that it says")
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise UserError(f"{path}: not valid Parquet ({root_cause(error)})") from error


def arrow_records(name: str, columns: Sequence[str], batches: Iterable[Any]) -> Iterator[Record]:
    """Rows of Arrow's record batches, counted from 0.

    Raises:
        UserError: two columns have one name.
    """
    header = _header(name, columns)
    rows = (row for batch in batches for row in zip(*(column.to_pylist() for column in batch.columns), strict=True))
    return ((f"{name}: row {n}", dict(zip(header, row, strict=True))) for n, row in enumerate(rows))


READERS: dict[str, Callable[[Path], Iterator[Record]]] = {
    ".jsonl": _json_lines,
    ".json": _json_lines,
    ".csv": _csv,
    ".tsv": _tsv,
    ".parquet": _parquet,
    ".pq": _parquet,
}
"""Suffix -> what reads such files."""
