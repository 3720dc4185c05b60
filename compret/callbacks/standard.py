"""The callbacks that a command has of itself, beside those of the user's: each kind at most once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lightning.pytorch import Callback
from lightning.pytorch.callbacks import LearningRateMonitor, ProgressBar

from compret.callbacks.announce import Announce, Typed
from compret.callbacks.calibrate import Calibrate
from compret.callbacks.export import Export
from compret.callbacks.finite import FiniteLoss
from compret.callbacks.monitors import Throughput
from compret.callbacks.progress import progress
from compret.callbacks.requeue import Requeue
from compret.callbacks.resume import Resume
from compret.callbacks.saving import BestCheckpoint, LastCheckpoint
from compret.callbacks.summary import Summary
from compret.callbacks.terminate import Terminate
from compret.distributed import slurm_job


@dataclass(frozen=True)
class Wanted:
    """What of a run its callbacks follow from."""

    typed: Typed
    folder: Path | None
    """Where a fit's checkpoints go; None where none are saved."""
    has_bar: bool
    has_logger: bool
    has_suites: bool
    """Validation names suites, by which a best.ckpt is chosen."""
    every: int
    """Steps between two savings of last.ckpt."""


def standard(wanted: Wanted, given: Sequence[Callback]) -> list[Callback]:
    """In the order in which Lightning calls them; none of a kind that the user gives."""
    folder = wanted.folder
    extra: list[Callback] = [Terminate(folder / "last.ckpt" if folder else None)]
    if wanted.has_bar:
        extra.append(progress())
    if wanted.typed.command == "fit":
        extra += _of_a_fit(wanted)
    extra += [Summary(), Announce(wanted.typed, folder)]
    return [callback for callback in extra if not any(_same_kind(callback, other) for other in given)]


def _same_kind(callback: Callback, given: Callback) -> bool:
    """Bars are of one kind, whoever wrote them."""
    return isinstance(given, type(callback)) or (isinstance(given, ProgressBar) and isinstance(callback, ProgressBar))


def _of_a_fit(wanted: Wanted) -> Iterable[Callback]:
    if wanted.has_logger:
        yield LearningRateMonitor("step")
    yield from (Throughput(), Resume(), FiniteLoss())
    folder = wanted.folder
    if folder is None:
        return
    if slurm_job():
        yield Requeue(folder / "last.ckpt")
    yield from (Calibrate(), Export(folder / "export"), LastCheckpoint(folder, wanted.every))
    if wanted.has_suites:
        yield BestCheckpoint(folder)
