"""Rows held as memory-mapped Arrow: written once, in a cache, for all that they are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from compret.atomic import atomic_path

if TYPE_CHECKING:
    from datasets import Dataset
    from pyarrow import Schema

_ROWS = 1000
Cells = tuple[str | float | None, ...]
"""A row: its texts, then its numbers."""


def held(key: str, columns: Sequence[str], rows: Iterator[Cells], numbers: Sequence[str] = ()) -> Dataset:
    """A table from its cache, which `rows` fill if it is not there; columns without any value are left out.

    Args:
        columns: of texts.
        numbers: columns of numbers, which stand behind those.
        key: hash of the rows' source and of the code that makes them.

    Raises:
        UserError: the cache cannot be written.
    """
    from datasets import Dataset
    from datasets.config import HF_DATASETS_CACHE

    path = Path(HF_DATASETS_CACHE) / "compret" / f"{key}.arrow"
    if not path.is_file():
        with atomic_path(path, "set HF_DATASETS_CACHE") as unfinished:
            _stream(unfinished, _schema(columns, numbers), rows)
    table = Dataset.from_file(str(path))
    names = [*columns, *numbers]
    return table.select_columns([name for name in names if table.data.column(name).null_count < len(table)])


def _schema(columns: Sequence[str], numbers: Sequence[str]) -> Schema:
    import pyarrow as pa

    return pa.schema([*((name, pa.string()) for name in columns), *((name, pa.float64()) for name in numbers)])


def _stream(path: Path, schema: Schema, rows: Iterator[Cells]) -> None:
    import pyarrow as pa

    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema) as stream:
        while block := list(islice(rows, _ROWS)):
            columns = zip(zip(*block, strict=True), schema.types, strict=True)
            stream.write_batch(pa.record_batch([pa.array(cells, kind) for cells, kind in columns], schema=schema))
