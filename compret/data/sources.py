"""Where rows come from: a file, a folder (saved by `datasets`, or laid out like a hub repository), or the hub."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compret.data.records import (
    READERS,
    Record,
    arrow_records,
    file_fingerprint,
    fingerprint,
    read_records,
    root_cause,
)
from compret.files import local_path
from compret.types import UserError

if TYPE_CHECKING:
    from datasets import Dataset

_SAVED = ("dataset_info.json", "state.json", "dataset_dict.json")


@dataclass(frozen=True)
class RowSource:
    """Rows that can be read again, and a key that other rows do not have."""

    name: str
    key: str
    records: Callable[[], Iterator[Record]]
    origin: dict[str, object] = field(default_factory=dict)
    """Hub id -> the revision that the user pinned; empty for local rows."""


def open_rows(source: str, split: str = "train") -> RowSource:
    """A file, a folder, or a hub id: `owner/name`, `owner/name@revision`, each with `:split` where the user gives it.

    Raises:
        UserError: there is nothing of that name, or it cannot be read as rows.
    """
    path = local_path(source)
    if path.is_file():
        return _of_files(source, [path])
    if path.is_dir():
        return open_folder(path, None, split)
    if path.suffix in READERS or path.is_absolute() or source.startswith((".", "~")):
        raise UserError(f"{source}: no such file")
    name, _, asked = source.partition(":")
    return open_hub(name, None, asked or split)


def open_part(source: str, config: str | None, split: str) -> RowSource:
    """One configuration and split of a local folder or of a hub repository."""
    path = local_path(source)
    return open_folder(path, config, split) if path.is_dir() else open_hub(source, config, split)


def open_folder(folder: Path, config: str | None, split: str) -> RowSource:
    """One split of a folder that `datasets` saved, or of one with files of rows; no code in it is run.

    Raises:
        UserError: it holds a dataset script, or nothing that can be read.
    """
    if any((folder / f"{name}.py").exists() for name in (folder.name, folder.resolve().name)):
        raise UserError(f"{folder}: holds a dataset script, which would be run; give the files of rows themselves")
    if any((folder / name).is_file() for name in _SAVED):
        return _saved(folder, split)
    return _of_files(str(folder), _declared(folder, config, split))


def hub_id(source: str) -> tuple[str, str | None]:
    """Repository and revision of `owner/name` or `owner/name@revision`.

    Raises:
        UserError: it is neither.
    """
    from huggingface_hub.utils import HFValidationError, validate_repo_id

    name, _, revision = source.partition("@")
    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise UserError(
            f"{source}: no such file or folder, and no hub id (owner/name or owner/name@revision)"
        ) from error
    if "/" not in name or source.endswith("@"):
        raise UserError(f"{source}: no such file or folder; a hub id is owner/name or owner/name@revision")
    return name, revision or None


def open_hub(source: str, config: str | None, split: str) -> RowSource:
    """One split of a hub dataset.

    Raises:
        UserError: the hub cannot be reached, or has no such dataset, revision, configuration or split.
    """
    name, revision = hub_id(source)
    what = " ".join(filter(None, [source, config, split]))
    table = _loaded(what, name, config, split, revision)
    return RowSource(what, fingerprint([table._fingerprint]), _rows_of(what, table), {name: {"revision": revision}})


def _loaded(what: str, name: str, config: str | None, split: str, revision: str | None) -> Dataset:
    from datasets import load_dataset
    from datasets.exceptions import DatasetNotFoundError
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return load_dataset(name, config, split=split, revision=revision)
    except (DatasetNotFoundError, HfHubHTTPError, OSError, RuntimeError) as error:
        raise UserError(f"{what}: no such file or folder, and the hub has no answer ({root_cause(error)})") from error
    except Exception as error:  # whatever a library makes of a stranger's files
        raise UserError(f"{what}: no such configuration or split ({root_cause(error)})") from error


def _saved(folder: Path, split: str) -> RowSource:
    from datasets import Dataset, load_from_disk

    try:
        saved = load_from_disk(str(folder))
        table: Dataset = saved if isinstance(saved, Dataset) else saved[split]
        table.data.table.validate(full=True)
    except IndexError:  # `datasets` finds no table in what has no rows
        return RowSource(str(folder), "", lambda: iter(()))
    except Exception as error:
        raise UserError(f"{folder}: no dataset can be read in this folder ({root_cause(error)})") from error
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    key = fingerprint([split, *(part for path in files for part in (str(path), file_fingerprint(path)))])
    return RowSource(str(folder), key, _rows_of(str(folder), table))


def _declared(folder: Path, config: str | None, split: str) -> list[Path]:
    """The files of a split: as the README's header declares them, else by their names, as on the hub."""
    from datasets import load_dataset_builder

    what = " ".join(filter(None, [str(folder), config]))
    try:
        found = load_dataset_builder(str(folder), config).config.data_files
    except Exception as error:
        raise UserError(f"{what}: no dataset can be read in this folder ({root_cause(error)})") from error
    if split not in found:
        raise UserError(f"{what} {split}: no such split (it has {', '.join(map(str, found))})")
    return [_inside(folder, file) for file in found[split]]


def _inside(folder: Path, file: str) -> Path:
    path = Path(os.path.abspath(file))
    if "://" in file or not path.is_relative_to(os.path.abspath(folder)):
        raise UserError(f"{folder}: names the file {file}, which is not in it")
    return path


def _of_files(name: str, files: Sequence[Path]) -> RowSource:
    for file in files:
        read_records(file)
    key = fingerprint(file_fingerprint(file) for file in files)
    return RowSource(name, key, lambda: chain.from_iterable(map(read_records, files)))


def _rows_of(name: str, table: Dataset) -> Callable[[], Iterator[Record]]:
    """Rows as they lie in Arrow: `datasets` would decode images and sounds of columns that nobody asks for."""

    def records() -> Iterator[Record]:
        tables: Any = table.with_format("arrow").iter(batch_size=1000)
        return arrow_records(name, table.column_names, (batch for part in tables for batch in part.to_batches()))

    return records
