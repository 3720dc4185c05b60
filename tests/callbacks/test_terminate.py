"""A run that is told to end ends at once, whatever it is doing, and not as if it had gone well."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from compret.callbacks.terminate import Terminate


class Told(LightningModule):
    """Is told to end in its first batch, which is also its last, and says whether it went on."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.went_on = torch.nn.Parameter(torch.ones(1)), False

    def training_step(self, *_: Any) -> Tensor:
        os.kill(os.getpid(), signal.SIGTERM)
        self.went_on = True
        return self.weight.sum()

    validation_step = test_step = predict_step = training_step  # type: ignore[assignment]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


@pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:.*LeafSpec:FutureWarning")
@pytest.mark.parametrize("stage", ["fit", "validate", "test", "predict"])
def test_a_run_ends_at_once(stage: str, tmp_path: Path) -> None:
    told, before = Told(), signal.getsignal(signal.SIGTERM)
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = Trainer(default_root_dir=tmp_path, accelerator="cpu", max_steps=3, callbacks=[Terminate()], **quiet)
    data = [torch.utils.data.DataLoader([0.0])]
    with pytest.raises(SystemExit) as ended:
        getattr(trainer, stage)(told, *(data * 2 if stage == "fit" else data))
    assert ended.value.code == 143
    assert not told.went_on
    assert signal.getsignal(signal.SIGTERM) == before
