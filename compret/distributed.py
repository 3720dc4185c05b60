"""The only file that knows ranks: launchers, world size, shards, gathering with and without gradients, checkpoints."""

from __future__ import annotations

import gc
import io
import os
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn

from compret.types import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class Launch:
    """What started this process among others: torchrun, srun, or Lightning with neither."""

    by: str
    rank: int
    processes: int
    nodes: int


def launch() -> Launch:
    """What the launcher's variables say; they are there before ranks are connected."""
    env = os.environ
    if dist.is_available() and dist.is_torchelastic_launched():
        processes = int(env["WORLD_SIZE"])
        return Launch("torchrun", int(env["RANK"]), processes, processes // int(env["LOCAL_WORLD_SIZE"]))
    if _in_slurm_job() and "SLURM_STEP_ID" in env:
        return Launch("srun", int(env["SLURM_PROCID"]), int(env["SLURM_NTASKS"]), int(env.get("SLURM_NNODES", 1)))
    # Lightning starts the others of a node itself and counts them there
    return Launch("", int(env.get("NODE_RANK", 0)) or int(env.get("LOCAL_RANK", 0)), 1, 1)


def check_launch(devices: int, nodes: int) -> None:
    """Refuse a trainer that counts other processes than were started: each would train alone, or wait for ever.

    Args:
        devices: that the trainer uses on a node.
        nodes: that the trainer counts.

    Raises:
        UserError: the message says what to add.
    """
    started = launch()
    if started.by and (started.processes, started.nodes) != (devices * nodes, nodes):
        on_nodes = f"{started.processes} processes on {started.nodes} {'node' if started.nodes == 1 else 'nodes'}"
        raise UserError(
            f"{started.by} started {on_nodes}, the trainer counts {devices * nodes} on {nodes}: add "
            f"--trainer.devices {started.processes // started.nodes} --trainer.num_nodes {started.nodes} "
            "--trainer.strategy ddp"
        )
    if not started.by and _in_slurm_job() and devices * nodes > 1:
        raise UserError(
            f"a SLURM job of {devices} devices on {nodes} nodes, started without srun: write srun before compret, and "
            f"#SBATCH --nodes={nodes} --ntasks-per-node={devices}"
        )


def check_cores(processes: int) -> None:
    """Refuse more processes on this machine's CPU than it has cores: they take turns, and each has a model in memory.

    Raises:
        UserError: COMPRET_MORE_RANKS is not set to 1.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if processes > cores and os.environ.get("COMPRET_MORE_RANKS") != "1":
        raise UserError(
            f"--trainer.devices {processes}: this machine has {cores} CPU cores, and more processes only take turns; "
            f"give at most {cores}, or set the variable COMPRET_MORE_RANKS=1"
        )


@dataclass(frozen=True)
class Job:
    """A SLURM job, or one task of a job array."""

    id: str
    queued_as: str
    """What `scontrol` calls it."""
    is_restarted: bool
    """It was requeued, and ran before under the same id."""


def slurm_job() -> Job | None:
    """The SLURM job that this process is a step of."""
    env = os.environ
    if launch().by != "srun" or "SLURM_JOB_ID" not in env:
        return None
    array = f"{env.get('SLURM_ARRAY_JOB_ID')}_{env.get('SLURM_ARRAY_TASK_ID')}"
    queued_as = array if "SLURM_ARRAY_JOB_ID" in env else env["SLURM_JOB_ID"]
    return Job(env["SLURM_JOB_ID"], queued_as, int(env.get("SLURM_RESTART_COUNT") or 0) > 0)


def _in_slurm_job() -> bool:
    """As Lightning sees it: jobs of these names are interactive, and no launcher."""
    return "SLURM_NTASKS" in os.environ and os.environ.get("SLURM_JOB_NAME") not in ("bash", "interactive")


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


def is_sharded(module: nn.Module | None) -> bool:
    """Whether parts of a module gather their weights from all ranks each time that they are called."""
    if module is None or world_size() == 1:
        return False
    from torch.distributed.fsdp import FullyShardedDataParallel

    return any(isinstance(part, FullyShardedDataParallel) for part in module.modules())


def calls_owed(module: nn.Module, calls: int) -> int:
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
