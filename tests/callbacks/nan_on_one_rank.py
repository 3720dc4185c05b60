"""`compret` with a DualEncoder whose third loss is no number on the second rank."""

from __future__ import annotations

import sys

from torch import Tensor

from compret.__main__ import main
from compret.distributed import rank
from compret.tasks import DualEncoder
from compret.types import TripletBatch

batch_loss = DualEncoder.batch_loss


def spoilt(task: DualEncoder, batch: TripletBatch) -> Tensor:
    loss = batch_loss(task, batch)
    return loss * float("nan") if rank() == 1 and task.trainer.global_step == 2 else loss


if __name__ == "__main__":
    DualEncoder.batch_loss = spoilt  # type: ignore[method-assign]
    sys.exit(main())
