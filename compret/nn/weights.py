"""Weights files looked at before a library loads them: names and shapes, whole, of the size that they say."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from compret.files import checked_file, inside, read_json, reading
from compret.types import UserError

Shapes = Mapping[str, tuple[int, ...]]
_INDEX = 1 << 26
_SPARE = 1 << 16
"""Numbers that a model may have beyond twice its weights file's: a pooler, tied tables, layers that come later."""


def weight_files(folder: Path) -> list[Path]:
    """The files that hold a model folder's weights, as transformers chooses them; none where there are none."""
    kinds = ("model.safetensors", "pytorch_model.bin")
    for name in (name + index for name in kinds for index in ("", ".index.json")):
        if (path := folder / name).exists():
            return _shards(path) if name.endswith(".json") else [checked_file(inside(folder, name))]
    return []


def _shards(index: Path) -> list[Path]:
    content = read_json(index, _INDEX)
    names = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        raise UserError(f"{index}: 'weight_map' must hold the file of each tensor")
    return [checked_file(inside(index.parent, name)) for name in sorted(set(names.values()))]


def stored_shapes(file: Path) -> Shapes:
    """Names and shapes of a weights file's tensors.

    Raises:
        UserError: it is cut off, compressed, or says other sizes than it has.
    """
    if file.suffix != ".safetensors":
        return {name: tuple(tensor.shape) for name, tensor in load_pickled(file).items() if isinstance(tensor, Tensor)}
    from safetensors import safe_open

    with reading(f"{file}: the weights are cut off or damaged"), safe_open(file, "pt") as opened:
        return {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118


def load_tensors(file: Path, names: Mapping[str, str] | None = None) -> dict[str, Tensor]:
    """A weights file's tensors; those of some names, under others, where they are given."""
    if file.suffix != ".safetensors":
        stored = load_pickled(file)
        return {ours: stored[theirs].clone() for theirs, ours in (names or {n: n for n in stored}).items()}
    from safetensors import safe_open

    with reading(f"{file}: the weights are cut off or damaged"), safe_open(file, "pt") as opened:
        return {ours: opened.get_tensor(n) for n, ours in (names or {n: n for n in opened.keys()}).items()}  # noqa: SIM118


def load_pickled(file: Path) -> dict[str, Any]:
    """A file of torch.save, by the unpickler that knows tensors alone; mapped, not read.

    Raises:
        UserError: it is no such file, names other classes, or unpacks to more than it holds.
    """
    check_archive(file)
    with reading(f"{file}: the weights cannot be read"):
        content = torch.load(file, weights_only=True, map_location="cpu", mmap=True)
    if not isinstance(content, dict):
        raise UserError(f"{file}: holds no weights by name")
    return content


def check_archive(file: Path) -> None:
    """Refuse an archive that is compressed, as torch's never are: a small one may unpack to more than the memory."""
    with reading(f"{file}: the file is cut off or damaged"), zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
    if any(e.compress_type != zipfile.ZIP_STORED for e in entries) or sum(e.file_size for e in entries) > (
        file.stat().st_size
    ):
        raise UserError(f"{file}: a compressed archive, and torch writes none; give the file as it was saved")


@contextmanager
def no_larger_than(weights: Shapes, origin: object) -> Iterator[None]:
    """Stop the building of a module at the first parameter beyond what its weights file holds.

    Modules must be built on the meta device within, where a parameter takes no memory.
    """
    left = {"numbers": sum(map(math.prod, weights.values())) * 2 + _SPARE, "tensors": 2 * len(weights) + 16}

    def count(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        if parameter is not None:
            left["numbers"] -= parameter.numel()
            left["tensors"] -= 1
        if min(left.values()) < 0:
            raise UserError(f"{origin}: describes a larger model than its weights; give the folder as it was saved")

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def check_finite(tensors: Mapping[str, Tensor], origin: object) -> None:
    """Refuse weights that are NaN or infinite: they score like any others."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise UserError(f"{origin}: {name} is not finite; give weights that are")
