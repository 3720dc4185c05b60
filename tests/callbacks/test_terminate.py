"""A run that is told to end ends, training after its step and all else at once, and not as if it had gone well."""

from __future__ import annotations

import itertools
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from safetensors.torch import load_file
from torch import Tensor

from compret.callbacks.terminate import Terminate
from compret.signals import ending
from compret.tasks import DualEncoder

Run = Callable[..., tuple[int, str]]


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
def test_a_run_ends(stage: str, tmp_path: Path) -> None:
    """Training ends after the step in which it came."""
    told, before = Told(), signal.getsignal(signal.SIGTERM)
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    small: dict[str, Any] = {"accelerator": "cpu", "max_steps": 3, "num_sanity_val_steps": 0}
    trainer = Trainer(default_root_dir=tmp_path, callbacks=[Terminate()], **small, **quiet)
    data = [torch.utils.data.DataLoader([0.0])]
    with ending.listening(is_last=False):
        ending.how = "unwind"
        with pytest.raises(SystemExit) as ended:
            getattr(trainer, stage)(told, *(data * 2 if stage == "fit" else data))
    assert ended.value.code == 143
    assert told.went_on == (stage == "fit")
    assert trainer.global_step == (stage == "fit")
    assert signal.getsignal(signal.SIGTERM) == before


VALIDATION = "compret.data.NanoBEIR"


@pytest.fixture
def fit(compret: Run, tiny: Path, triplets: Path, beir: Path) -> Run:
    """Twelve steps, validated on two datasets after every fourth."""
    suites = json.dumps([{"class_path": VALIDATION, "init_args": {"source": str(beir)}}])
    options = (
        *("--model.backbone", tiny, "--model.dropout", 0.2, "--model.optimizer.lr", 1e-3, "--data.validation", suites),
        *("--data.files", f"[{triplets}]", "--data.batch_size", 8, "--data.workers", 0, "--data.holdout", 0),
        *("--trainer.max_steps", 12, "--trainer.val_check_interval", 4, "--trainer.check_val_every_n_epoch", "null"),
        *("--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"),
    )
    return lambda *more: compret("fit", *options, *more)


@pytest.fixture(scope="module")
def unbroken() -> dict[str, Tensor]:
    """The weights of an unbroken fit, filled by the first test that asks."""
    return {}


@pytest.fixture
def expected(fit: Run, tmp_path: Path, unbroken: dict[str, Tensor]) -> dict[str, Tensor]:
    if not unbroken:
        assert fit("--name", "whole")[0] == 0
        unbroken |= exported(tmp_path / "checkpoints" / "whole" / "version_0")
    return unbroken


def exported(run: Path) -> dict[str, Tensor]:
    return load_file(run / "export" / "model.safetensors")


def called(method: Any, at: int, number: int) -> Any:
    """A method in whose `at`-th call this process is told to end."""
    calls = itertools.count(1)

    def telling(self: DualEncoder, *arguments: Any, **named: Any) -> Any:
        if next(calls) == at:
            os.kill(os.getpid(), number)
        return method(self, *arguments, **named)

    return telling


@pytest.mark.parametrize(
    ("number", "where", "at", "saved", "validations"),
    [
        (signal.SIGTERM, "training_step", 6, 6, 2),
        (signal.SIGINT, "training_step", 6, 6, 2),
        (signal.SIGTERM, "validation_step", 3, 8, 1),
        (signal.SIGINT, "validation_step", 4, 8, 1),
    ],
)
def test_a_fit_that_is_told_to_end_loses_nothing(
    fit: Run,
    expected: dict[str, Tensor],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    where: str,
    at: int,
    saved: int,
    validations: int,
) -> None:
    """Fewer steps than `checkpoint_every`; resumed, it ends with the weights of an unbroken run.

    A validation in which it came is left out, and none goes on half-way: its numbers would be of half the data.
    """
    with monkeypatch.context() as patch:
        patch.setattr(DualEncoder, where, called(getattr(DualEncoder, where), at, number))
        code, said = fit("--name", "half")
    assert code == 128 + number, said
    half = tmp_path / "checkpoints" / "half" / "version_0"
    assert torch.load(half / "last.ckpt", weights_only=True)["global_step"] == saved
    assert not (half / "export").exists()

    validated: list[int] = []
    ended = DualEncoder.on_validation_epoch_end
    monkeypatch.setattr(
        DualEncoder,
        "on_validation_epoch_end",
        lambda self: (validated.append(len(self.bench.results({}).all)), ended(self)),
    )
    assert fit("--name", "half", "--ckpt_path", "last")[0] == 0
    assert validated == [2] * validations, "of both datasets"
    found = exported(half.with_name("version_1"))
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=1e-6)


def test_there_is_a_checkpoint_before_the_first_step(
    fit: Run, expected: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*arguments: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(DualEncoder, "training_step", killed)
        with pytest.raises(RuntimeError):
            fit("--name", "none")
    assert fit("--name", "none", "--ckpt_path", "last")[0] == 0
    found = exported(tmp_path / "checkpoints" / "none" / "version_1")
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())
