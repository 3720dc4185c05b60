"""Triplet files to Arrow: CSV, TSV, JSON lines, Parquet, PyDoc or a hub dataset, memory-mapped and checked."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compret.data.records import fingerprint, read_records
from compret.data.reworded import PREFIX, reworded
from compret.types import UserError

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)

COLUMNS = ("anchor", "positive", "negative", "category")
_READERS = {".csv": "csv", ".tsv": "csv", ".jsonl": "json", ".json": "json", ".parquet": "parquet", ".pq": "parquet"}
_NO_ROWS = "{}: no rows; a triplet file needs at least one"
_ALIASES = {"query": "anchor", "question": "anchor", "answer": "positive", "passage": "positive"}


def load_triplets(source: str) -> Dataset:
    """Rows with the columns anchor, positive and, where the source has them, negative and category.

    Args:
        source: a file (CSV, TSV, JSON lines, Parquet), `pydoc:retrieval` or `pydoc:structneg` for the embedded data, a
            folder saved by `datasets`, or a hub id with the split after a colon (`owner/name:train`). `reworded:`
            before any of them makes triplets whose positives are reworded by rule.
            Rows of sentence1, sentence2 are identity rows: sentence1 is the anchor and the positive, sentence2 the
            negative, as the paper reads them. The hub's query and answer are read as anchor and positive.

    Raises:
        UserError: the source, a column or a value is missing; the message names file, line and column.
    """
    table = _open(source)
    if len(table) == 0:
        raise UserError(_NO_ROWS.format(source))
    table = _rename(table, source)
    for column in ("anchor", "positive"):
        if column not in table.column_names:
            raise UserError(f"{source}: no column '{column}' (it has {', '.join(table.column_names)})")
    table = table.select_columns([c for c in COLUMNS if c in table.column_names])
    _check_values(table, source)
    return table


def _open(source: str) -> Dataset:
    if source.startswith(PREFIX):
        inner = source.removeprefix(PREFIX)
        return reworded(load_triplets(inner), inner)
    if source.startswith("pydoc:"):
        return _read_file(str(_pydoc_file(source)))
    path = Path(source).expanduser()
    if path.is_file():
        return _read_file(str(path))
    if path.is_dir():
        return _read_saved(path)
    if path.suffix in _READERS or path.is_absolute() or source.startswith("."):
        raise UserError(f"{source}: no such file")
    return read_hub(source.partition(":")[0], split=source.partition(":")[2] or "train")


def _pydoc_file(source: str) -> Path:
    from compret.data.pydoc import pydoc

    name = source.partition(":")[2]
    if name not in ("retrieval", "structneg"):
        raise UserError(f"{source}: PyDoc has pydoc:retrieval and pydoc:structneg")
    file: Path = getattr(pydoc(), name)
    return file


def _read_file(path: str) -> Dataset:
    """Through `datasets`, whose cache keeps the file as memory-mapped Arrow."""
    from datasets import load_dataset
    from datasets.exceptions import DatasetGenerationError
    from pyarrow import ArrowException

    suffix = Path(path).suffix
    if suffix not in _READERS:
        raise UserError(f"{path}: '{suffix}' is not known; use {', '.join(_READERS)}")
    if Path(path).stat().st_size == 0:
        raise UserError(f"{path}: the file is empty")
    options: dict[str, Any] = {"sep": "\t"} if suffix == ".tsv" else {}
    if _READERS[suffix] == "csv":
        options["keep_default_na"] = False  # None, null and nan are texts
    try:
        return load_dataset(_READERS[suffix], data_files=path, split="train", **options)
    except (DatasetGenerationError, ArrowException, ValueError, OSError) as error:
        rows = sum(1 for _ in read_records(Path(path)))  # names the line where it can
        if rows == 0:
            raise UserError(_NO_ROWS.format(path)) from error
        raise UserError(f"{path}: cannot be read as {suffix[1:]} ({_root_cause(error)})") from error


def _read_saved(path: Path) -> Dataset:
    from datasets import Dataset, load_dataset, load_from_disk

    try:
        if any((path / name).is_file() for name in ("dataset_info.json", "state.json", "dataset_dict.json")):
            saved = load_from_disk(str(path))
            return saved if isinstance(saved, Dataset) else saved["train"]
        return load_dataset(str(path), split="train", cache_dir=_cache_of_folder(path))
    except IndexError as error:  # no table at all
        raise UserError(_NO_ROWS.format(path)) from error
    except (ValueError, KeyError, OSError) as error:
        raise UserError(f"{path}: no dataset can be read in this folder ({_root_cause(error)})") from error


def read_hub(name: str, config: str | None = None, split: str = "train") -> Dataset:
    """One split of a hub dataset, or of a local folder that is laid out like one.

    Raises:
        UserError: the hub cannot be reached, or has no such dataset, configuration or split.
    """
    from datasets import load_dataset
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub.errors import HfHubHTTPError

    what = " ".join(filter(None, [name, config, split]))
    try:
        return load_dataset(name, config, split=split, cache_dir=_cache_of_folder(Path(name)))
    except (ValueError, KeyError) as error:
        raise UserError(f"{what}: no such configuration or split ({_root_cause(error)})") from error
    except (DatasetNotFoundError, HfHubHTTPError, OSError, RuntimeError) as error:
        reason = _root_cause(error)
        raise UserError(f"{what}: no such file or folder, and the hub has no answer ({reason})") from error


def _cache_of_folder(folder: Path) -> str | None:
    """A cache of its own for the files of a local folder as they are now: `datasets` goes by the folder's name."""
    from datasets.config import HF_DATASETS_CACHE

    if not folder.is_dir():
        return None
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    stats = [f"{path.resolve()} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in files]
    return str(Path(HF_DATASETS_CACHE) / "compret" / fingerprint(stats))


def _rename(table: Dataset, source: str) -> Dataset:
    names = set(table.column_names)
    if {"sentence1", "sentence2"} <= names and "anchor" not in names:
        if {"positive", "negative"} & names:
            raise UserError(
                f"{source}: has sentence1, sentence2 beside positive or negative; rename sentence1 to anchor"
            )
        log.info(
            "%s: sentence1, sentence2 are read as identity rows (anchor = positive, sentence2 the negative)", source
        )
        table = table.rename_columns({"sentence1": "anchor", "sentence2": "negative"})
        return table.add_column("positive", table.data.column("anchor"))
    renames = {old: new for old, new in _ALIASES.items() if old in names and new not in names}
    if len(set(renames.values())) < len(renames):
        raise UserError(f"{source}: {', '.join(renames)} would both be read as one column; name it anchor or positive")
    return table.rename_columns(renames) if renames else table


def _check_values(table: Dataset, source: str) -> None:
    """Anchors and positives must be text; Arrow finds the bad rows without a Python loop over the good ones."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in ("anchor", "positive", "negative"):
        if name not in table.column_names:
            continue
        column = table.data.column(name)
        if name == "negative" and pa.types.is_null(column.type):
            continue
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            raise UserError(f"{source}: column '{name}' holds {column.type}, not text")
        if name == "negative":
            continue
        try:
            blank = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(column), ""), True)
        except pa.ArrowInvalid as error:
            raise UserError(f"{source}: column '{name}' is not UTF-8 text") from error
        row = pc.index(blank, True).as_py()
        if row >= 0:
            raise UserError(f"{_place(source, row)}, column '{name}' is empty")


def _place(source: str, row: int) -> str:
    """File and line of a row, where the format has lines."""
    if Path(source).suffix in (".csv", ".tsv", ".jsonl"):
        return next(itertools.islice(read_records(Path(source).expanduser()), row, None))[0]
    return f"{source}: row {row}"


def _root_cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
