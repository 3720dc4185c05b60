"""What ranks do together: share out work, gather rows with and without gradients, agree."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from compret.compat import all_gather_with_gradient

T = TypeVar("T")


def disconnect() -> None:
    """End the connections between ranks, if there are any, and the threads that serve them.

    Lightning ends those of NCCL. A thread of gloo that still lets go of a tensor while Python ends aborts the process,
    after all went well (pytorch/pytorch#190489).
    """
    if dist.is_available() and dist.is_initialized():
        gc.collect()  # a group ends with its last reference, and a trainer's are in cycles
        dist.destroy_process_group()


def world_size() -> int:
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


def shard(items: Sequence[T]) -> Sequence[T]:
    """This rank's shard of items sorted by cost: every world-size-th one, none twice, none left."""
    return items[rank() :: world_size()]


def gather_shards(rows_BX: Tensor, places: Sequence[NDArray[np.int64]]) -> tuple[NDArray[np.int64], Tensor]:
    """All ranks' rows, and where each belongs.

    Args:
        rows_BX: this rank's rows, those of `shard(places)` laid end to end; none where its shard is empty.
        places: for each item of all shards, the places of its rows.
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
    has_gradient = torch.is_grad_enabled() and padded.requires_grad
    parts = all_gather_with_gradient(padded).view(-1, *padded.shape) if has_gradient else _all_gather(padded)
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


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


def is_sharded(module: nn.Module | None) -> bool:
    """Whether parts of a module gather their weights from all ranks each time that they are called."""
    if module is None or world_size() == 1:
        return False
    from torch.distributed.fsdp import FullyShardedDataParallel

    return any(isinstance(part, FullyShardedDataParallel) for part in module.modules())


def missing_calls(module: nn.Module, calls: int) -> int:
    """How many more times another rank calls a sharded module than this one, which must call it as often.

    Args:
        calls: of this rank.
    """
    if not is_sharded(module):
        return 0
    here = torch.tensor([calls], device=next(module.parameters()).device)
    return int(torch.cat(_all_gather(here)).max()) - calls


def gradient_norm(module: nn.Module, in_shards: bool = False) -> Tensor | None:
    """The norm of all gradients of a module as one vector, float32; None if it has no gradient.

    Args:
        in_shards: a strategy has cut the gradients into shards, of which this rank has some.
    """
    trained = [p for p in module.parameters() if p.requires_grad]
    norms = [torch.linalg.vector_norm(p.grad.float()) for p in trained if p.grad is not None]
    if not in_shards:
        return torch.linalg.vector_norm(torch.stack(norms)) if norms else None
    if not trained:
        return None
    square = torch.stack([*norms, torch.zeros((), device=trained[0].device)]).square().sum()
    dist.all_reduce(square)
    return square.sqrt()


class Agreement:
    """Whether any rank says yes; asked through the CPU, so that none waits for its GPU. All ranks make one and ask."""

    def __init__(self) -> None:
        self.group = dist.new_group(backend="gloo") if world_size() > 1 else None

    def any(self, said: bool) -> bool:
        if self.group is None:
            return said
        heard = torch.tensor([said], dtype=torch.uint8)
        dist.all_reduce(heard, dist.ReduceOp.MAX, group=self.group)
        return bool(heard)


def _all_gather(rows: Tensor) -> list[Tensor]:
    parts = [torch.empty_like(rows) for _ in range(world_size())]
    dist.all_gather(parts, rows.contiguous())
    return parts
