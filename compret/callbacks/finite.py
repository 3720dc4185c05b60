"""FiniteLoss: a fit stops when its loss is no longer a number, before a checkpoint is lost to it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from compret.atomic import atomic_write
from compret.distributed import gather_objects, rank
from compret.types import Row, TripletBatch, UserError


@dataclass(frozen=True)
class _Seen:
    """One batch of a step: its loss, still on the device, and its rows."""

    step: int
    loss: Tensor
    rows: Sequence[Row]


class FiniteLoss(Callback):
    """Stops all ranks with one line that names the step and the file of its rows, nan_batch_step_N.jsonl by the logs.

    Losses are kept on the device and read together: every `trainer.log_every_n_steps` steps, before each validation and
    before each checkpoint, where the weights are looked at too. So nothing waits in the steps between, and what is on
    disk is from before. A checkpoint of weights alone (`save_weights_only`) is not looked at.
    """

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.seen: list[_Seen] = []
        """The batches since the last look, and the one before."""

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: TripletBatch, batch_idx: int
    ) -> None:
        self.step = trainer.global_step + 1

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: TripletBatch, batch_idx: int
    ) -> None:
        self.seen.append(_Seen(self.step, outputs["loss"].detach(), batch.rows))
        if len(self.seen) > max(1, trainer.log_every_n_steps):  # type: ignore[attr-defined]
            self._look(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._look(trainer)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        self._look(trainer, _weights_are_finite(pl_module))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._look(trainer, _weights_are_finite(pl_module))

    def _look(self, trainer: Trainer, weights_are_finite: bool = True) -> None:
        """Every rank looks at the same places, and all stop if one has to."""
        steps = [step for step in gather_objects(self._first_bad(weights_are_finite)) if step]
        self.seen = self.seen[-1:] if not steps else self.seen
        if steps:
            raise UserError(
                f"step {min(steps)}: the loss or its gradient is not finite; rows of this step and the one before: "
                f"{self._write(trainer, min(steps))}; look for odd texts there, or lower the learning rate, and go on "
                "from a checkpoint with --ckpt_path"
            )

    def _first_bad(self, weights_are_finite: bool) -> int:
        """The first step without a finite loss; 0 for none. Weights that are not are the last step's doing."""
        if not self.seen:
            return 0
        finite = torch.stack([seen.loss for seen in self.seen]).isfinite().tolist()
        bad = [seen.step for seen, is_finite in zip(self.seen, finite, strict=True) if not is_finite]
        return min([*bad, *([] if weights_are_finite else [self.seen[-1].step])], default=0)

    def _write(self, trainer: Trainer, step: int) -> Path:
        """The rows of a step and of the one before, whose gradient may have done it; a JSON line each."""
        path = Path(trainer.log_dir or trainer.default_root_dir) / f"nan_batch_step_{step}.jsonl"
        read = trainer.datamodule.read  # type: ignore[attr-defined]
        near = [seen for seen in self.seen if seen.step in (step - 1, step)]
        mine = [{"step": seen.step, "rank": rank(), **row} for seen in near for row in read(seen.rows)]
        rows = sorted(itertools.chain(*gather_objects(mine)), key=itemgetter("step", "rank"))
        if rank() == 0:
            with atomic_write(path) as file:
                file.writelines(json.dumps(row) + "\n" for row in rows)
        return path


def _weights_are_finite(module: LightningModule) -> bool:
    trained = [p.detach() for p in module.parameters() if p.requires_grad]
    return bool(torch.stack([p.isfinite().all() for p in trained]).all())
