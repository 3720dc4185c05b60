"""A long fit of the tiny model with a worker, validation and checkpoints: its memory stays flat."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch import Callback, Trainer

from compret.callbacks.finite import FiniteLoss
from compret.callbacks.monitors import Throughput
from compret.callbacks.saving import LastCheckpoint
from compret.data import NearMissPairs, Triplets
from compret.tasks import DualEncoder

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.benchmark, pytest.mark.slow]
STEPS, SETTLED = 2000, 500
"""Caches fill and allocators warm up before the second."""


class Memory(Callback):
    """Resident memory of this process, MiB, every hundred steps."""

    def __init__(self) -> None:
        self.mib: dict[int, float] = {}

    def on_train_batch_end(self, trainer: Trainer, *args: Any, **kwargs: Any) -> None:
        if trainer.global_step % 100 == 0:
            lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
            self.mib[trainer.global_step] = int(next(x for x in lines if x.startswith("VmRSS")).split()[1]) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system tells no resident memory")
def test_memory_stays_flat(tmp_path: Path, tiny: Path, triplets: Path, pairs: Path) -> None:
    memory = Memory()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Trainer(
            accelerator="cpu",
            max_steps=STEPS,
            val_check_interval=100,
            check_val_every_n_epoch=None,
            num_sanity_val_steps=0,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            default_root_dir=tmp_path,
            callbacks=[memory, LastCheckpoint(tmp_path, 100), FiniteLoss(), Throughput()],
        ).fit(
            DualEncoder(str(tiny)),
            datamodule=Triplets([str(triplets)], batch_size=8, validation=[NearMissPairs([str(pairs)])]),
        )
    first, last = memory.mib[SETTLED], memory.mib[STEPS]
    log.warning("memory at step %d: %.1f MiB, at step %d: %.1f MiB", SETTLED, first, STEPS, last)
    assert last - first < 15
