"""The files of a sharded checkpoint: are they whole, and do they hold data only."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch


def incomplete_files(folder: Path) -> list[Path]:
    """The files of a sharded checkpoint that are missing or shorter than its `.metadata` says.

    Torch unpickles `.metadata` and what is no tensor in the shards with any class that they name, so both are read here
    first, by unpicklers that know a few classes alone.

    Raises:
        OSError, pickle.UnpicklingError, EOFError: `.metadata` cannot be read, or names other classes or files.
    """
    from torch.distributed.checkpoint.metadata import TensorStorageMetadata

    metadata = _read_metadata(folder)
    ends: dict[Path, int] = {}
    for part in metadata.storage_data.values():
        path = folder / part.relative_path
        if path.name != part.relative_path or path.is_symlink():
            raise pickle.UnpicklingError(f"{part.relative_path!r} is no file of the folder")
        if getattr(part, "transform_descriptors", None):
            raise pickle.UnpicklingError(f"{part.relative_path!r} is compressed")
        ends[path] = max(ends.get(path, 0), part.offset + part.length)
    incomplete = sorted(path for path, end in ends.items() if not path.is_file() or path.stat().st_size < end)
    if not incomplete:
        for index, part in metadata.storage_data.items():
            if not isinstance(metadata.state_dict_metadata.get(index.fqn), TensorStorageMetadata):
                _check_object(folder / part.relative_path, part.offset, part.length)
    return incomplete


def _read_metadata(folder: Path) -> Any:
    with (folder / ".metadata").open("rb") as file:
        return _MetadataUnpickler(file).load()


def _check_object(file: Path, offset: int, length: int) -> None:
    """Refuse an object that only code could make: torch would run it."""
    with file.open("rb") as opened:
        opened.seek(offset)
        torch.load(io.BytesIO(opened.read(length)), weights_only=True)


class _MetadataUnpickler(pickle.Unpickler):
    """Knows what a `.metadata` of torch is made of, and nothing else."""

    known = {  # noqa: RUF012
        "torch.distributed.checkpoint.metadata": {
            *("Metadata", "MetadataIndex", "StorageMeta", "TensorProperties", "TensorStorageMetadata"),
            *("ChunkStorageMetadata", "BytesStorageMetadata", "_MEM_FORMAT_ENCODING"),
        },
        "torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
        "torch.serialization": {"_get_layout"},
        "torch": {"Size", *(name for name, value in vars(torch).items() if isinstance(value, torch.dtype))},
        "collections": {"OrderedDict"},
        "pathlib": {"PosixPath", "WindowsPath", "PurePosixPath"},
        "pathlib._local": {"PosixPath", "WindowsPath"},
    }

    def find_class(self, module: str, name: str) -> Any:
        if name not in self.known.get(module, ()):
            raise pickle.UnpicklingError(f"names {module}.{name}, which is not read")
        return super().find_class(module, name)
