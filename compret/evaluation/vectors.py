"""Vectors of many texts: in memory, or in a temporary file where they would not fit a budget."""

from __future__ import annotations

import os
import tempfile
from typing import IO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compret.types import UserError

MEMORY = 1 << 30
"""Bytes of vectors or of token states that one dataset may hold in memory."""


class VectorStore:
    """`(N, D)` float32, written and read by row; only the rows asked for are in memory where it lies on disk.

    Args:
        count: N.
        width: D.
        device: where rows are wanted, and where all of them lie if they fit.
        memory: bytes above which they go to a file; it vanishes with the process.

    Raises:
        UserError: the temporary folder has no room for them.
    """

    def __init__(self, count: int, width: int, device: torch.device, memory: int = MEMORY) -> None:
        self.shape, self.device = (count, width), device
        self.on_disk = count * width * 4 > memory
        if self.on_disk:
            self._file = temporary_file(count * width * 4)
        else:
            self._rows_ND = torch.empty(self.shape, dtype=torch.float32, device=device)

    def __len__(self) -> int:
        return self.shape[0]

    def __setitem__(self, places: NDArray[np.int64], rows_BD: Tensor) -> None:
        if self.on_disk:
            self._mapped("r+")[places] = rows_BD.float().cpu().numpy()
        else:
            self._rows_ND[torch.from_numpy(places).to(self.device)] = rows_BD

    def __getitem__(self, places: NDArray[np.int64]) -> Tensor:
        if self.on_disk:
            return torch.from_numpy(self._mapped("r")[places]).to(self.device)
        return self._rows_ND[torch.from_numpy(places).to(self.device)]

    def tensor(self) -> Tensor:
        """All rows: on the device, or mapped on the CPU, where those that are read stay while the system has room."""
        return torch.from_numpy(self._mapped("r+")) if self.on_disk else self._rows_ND

    def _mapped(self, mode: str) -> np.memmap[tuple[int, int], np.dtype[np.float32]]:
        """A map for one access: pages stay resident for as long as the map that read them."""
        return np.memmap(self._file.name, np.float32, mode, shape=self.shape)  # type: ignore[call-overload,no-any-return]


def half_on_disk(rows: int, width: int) -> Tensor:
    """Room for `(rows, width)` half-precision values in a temporary file, mapped into memory.

    Raises:
        UserError: the temporary folder has no room for them.
    """
    with temporary_file(rows * width * 2) as file:  # a map outlives the name of its file
        return torch.from_numpy(np.memmap(file, dtype=np.float16, mode="r+", shape=(rows, width)))


def temporary_file(size: int) -> IO[bytes]:
    """A file of `size` bytes that vanishes with the process; its room is taken at once.

    Writing to the map of a file that the disk has no room for kills the process without a word.

    Raises:
        UserError: the temporary folder has no such room.
    """
    file = tempfile.NamedTemporaryFile(prefix="compret-vectors-")  # noqa: SIM115
    try:
        _allocate(file.fileno(), size)
    except OSError as error:
        file.close()
        room = f"no room for {size / 2**30:.2f} GiB of vectors ({error.strerror})"
        raise UserError(f"{tempfile.gettempdir()}: {room}; set TMPDIR to a folder that has it") from error
    return file


def _allocate(file: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:  # macOS
        os.truncate(file, size)
