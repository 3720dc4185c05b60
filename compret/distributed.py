"""The only file that knows ranks: world size, shards, gathering with and without gradients, sharded checkpoints."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

from compret.types import UserError

T = TypeVar("T")


def world_size() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def launched_rank() -> int:
    """This process's rank as its launcher says, before any process group exists; 0 if none launched it."""
    told = (os.environ.get(name) for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))
    return next((int(value) for value in told if value), 0)


def is_requeued() -> bool:
    """Whether SLURM runs this job anew, so that it goes on where it was stopped."""
    return int(os.environ.get("SLURM_RESTART_COUNT") or 0) > 0


def check_launch(processes: int) -> None:
    """Compare the processes of a trainer with those that torchrun started.

    Raises:
        UserError: they differ: every process would train alone and believe that it is the only one.
    """
    started = int(os.environ.get("WORLD_SIZE") or 1)
    if "TORCHELASTIC_RUN_ID" not in os.environ or started == processes:
        return
    here = int(os.environ.get("LOCAL_WORLD_SIZE") or started)
    nodes = f" --trainer.num_nodes {started // here}" if started > here else ""
    raise UserError(
        f"torchrun started {started} processes, the trainer has {processes}: add --trainer.devices {here} "
        f"--trainer.strategy ddp{nodes}"
    )


def dealt(items: Sequence[T]) -> Sequence[T]:
    """This rank's share of items that are sorted by cost: every world-size-th one, none twice, none left."""
    return items[rank() :: world_size()]


def gather_dealt(rows_BX: Tensor, places: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], Tensor]:
    """All ranks' rows, and where each belongs.

    Args:
        rows_BX: this rank's rows, those of `dealt(places)` laid end to end; none where it was dealt none.
        places: for each item that was dealt to a rank, the places of its rows.
    """
    by_rank = [part for start in range(world_size()) for part in places[start :: world_size()]]
    return np.concatenate([np.empty(0, dtype=np.int64), *by_rank]), gather_rows(rows_BX)


def gather_rows(rows_BX: Tensor) -> Tensor:
    """All ranks' rows laid end to end in the order of ranks, with gradients; ranks may hold different numbers of rows.

    Args:
        rows_BX: `(B, ...)`; all but the first dimension are equal on every rank.
    """
    if world_size() == 1:
        return rows_BX
    counts = row_counts(rows_BX)
    padded = torch.cat([rows_BX, rows_BX.new_zeros((max(counts) - len(rows_BX), *rows_BX.shape[1:]))])
    gathered: Tensor = _Gather.apply(padded) if padded.requires_grad else torch.stack(_all_gather(padded))  # type: ignore[no-untyped-call]
    return torch.cat([part[:count] for part, count in zip(gathered, counts, strict=True)])


def row_counts(rows_BX: Tensor) -> list[int]:
    """How many rows each rank holds."""
    if world_size() == 1:
        return [len(rows_BX)]
    here = torch.tensor([len(rows_BX)], device=rows_BX.device)
    return [int(n) for n in torch.cat(_all_gather(here)).tolist()]


def first_row(rows_BX: Tensor) -> int:
    """Where this rank's rows begin in `gather_rows`."""
    return sum(row_counts(rows_BX)[: rank()])


def mean_rows(rows_BX: Tensor) -> float:
    """Rows a rank, on average: what sums are divided by so that the mean over ranks is that over all rows."""
    return sum(row_counts(rows_BX)) / world_size()


def gather_objects(value: T) -> list[T]:
    """One picklable value from each rank, in the order of ranks."""
    if world_size() == 1:
        return [value]
    values: list[T | None] = [None] * world_size()
    dist.all_gather_object(values, value)
    return [v for v in values if v is not None]


def incomplete_files(folder: Path) -> list[Path]:
    """The files of a sharded checkpoint that are missing or shorter than its `.metadata` says.

    Raises:
        OSError, pickle.UnpicklingError, EOFError: `.metadata` cannot be read.
    """
    from torch.distributed.checkpoint import FileSystemReader

    ends: dict[Path, int] = {}
    for part in FileSystemReader(folder).read_metadata().storage_data.values():
        path = folder / part.relative_path
        ends[path] = max(ends.get(path, 0), part.offset + part.length)
    return sorted(path for path, end in ends.items() if not path.is_file() or path.stat().st_size < end)


class _Gather(torch.autograd.Function):
    """All ranks' tensors of one shape, `(ranks, ...)`; the gradient of a rank's part is the sum of all ranks'."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        return torch.stack(_all_gather(rows))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        total = grads[0].contiguous()
        dist.all_reduce(total)
        return total[rank()]


def _all_gather(rows: Tensor) -> list[Tensor]:
    parts = [torch.empty_like(rows) for _ in range(world_size())]
    dist.all_gather(parts, rows.contiguous())
    return parts
