"""Rows held as memory-mapped Arrow: written once, in a cache, for all that they are made of."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from compret.types import UserError

if TYPE_CHECKING:
    from datasets import Dataset

_ROWS = 1000
Texts = tuple[str | None, ...]


def held(key: str, columns: Sequence[str], rows: Iterator[Texts]) -> Dataset:
    """A table of texts from its cache, which `rows` fill if it is not there; columns without any text are left out.

    Args:
        key: hash of the rows' source and of the code that makes them.

    Raises:
        UserError: the cache cannot be written.
    """
    from datasets import Dataset
    from datasets.config import HF_DATASETS_CACHE

    path = Path(HF_DATASETS_CACHE) / "compret" / f"{key}.arrow"
    if not path.is_file():
        _write(path, columns, rows)
    table = Dataset.from_file(str(path))
    return table.select_columns([c for c in columns if table.data.column(c).null_count < len(table)])


def _write(path: Path, columns: Sequence[str], rows: Iterator[Texts]) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _stream(unfinished, columns, rows)
        unfinished.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}); set HF_DATASETS_CACHE") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _stream(path: Path, columns: Sequence[str], rows: Iterator[Texts]) -> None:
    import pyarrow as pa

    schema = pa.schema([(column, pa.string()) for column in columns])
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema) as stream:
        while block := list(islice(rows, _ROWS)):
            stream.write_batch(
                pa.record_batch([pa.array(texts, pa.string()) for texts in zip(*block, strict=True)], schema=schema)
            )
