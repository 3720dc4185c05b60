"""FiniteLoss: where the loss is no number the fit stops, says where, and leaves the checkpoint from before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from compret.callbacks.finite import FiniteLoss
from compret.tasks import DualEncoder

Fit = Callable[..., tuple[int, str]]
Spoil = Callable[[DualEncoder, Tensor], Tensor]
SCRIPT = Path(__file__).with_name("nan_on_one_rank.py")


def no_number(task: DualEncoder, loss: Tensor) -> Tensor:
    return loss * float("nan")


def too_large(task: DualEncoder, loss: Tensor) -> Tensor:
    return loss + float("inf")


def bad_gradient(task: DualEncoder, loss: Tensor) -> Tensor:
    """The loss itself stays as it is."""
    weight = next(task.encoder.parameters()).flatten()[0]
    return loss + 0 * (weight - weight.detach()).sqrt()


@pytest.fixture
def spoilt(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Spoil], list[Any]]:
    """Spoils one step (from 1) of the next fit; gives the batches that it will have seen."""

    def spoil(step: int, how: Spoil) -> list[Any]:
        batches: list[Any] = []
        batch_loss = DualEncoder.batch_loss

        def spoilt_loss(task: DualEncoder, batch: Any) -> Tensor:
            batches.append(batch)
            loss = batch_loss(task, batch)
            return how(task, loss) if len(batches) == step else loss

        monkeypatch.setattr(DualEncoder, "batch_loss", spoilt_loss)
        return batches

    return spoil


def said_line(said: str) -> str:
    (line,) = [line for line in said.splitlines() if line.startswith("compret: ")]
    assert "Traceback" not in said
    return line


@pytest.mark.parametrize("how", [no_number, too_large, bad_gradient])
@pytest.mark.parametrize(("every", "saved"), [(1, 4), (3, 3), (5, 0), (100, 0)])
def test_it_stops_before_a_checkpoint_is_lost(
    fit: Fit, triplets: Path, tmp_path: Path, spoilt: Any, how: Spoil, every: int, saved: int
) -> None:
    batches = spoilt(5, how)
    code, said = fit("--trainer.max_steps", 20, "--checkpoint_every", every, "--data.holdout", 0)
    assert code == 2, said
    # without a checkpoint after step 5, what its gradient did shows in the next loss
    step = 6 if how is bad_gradient and every in (3, 100) else 5
    assert f"step {step}:" in said_line(said)
    (file,) = tmp_path.rglob(f"nan_batch_step_{step}.jsonl")
    assert 5 in {json.loads(line)["step"] for line in file.read_text().splitlines()}
    assert len(batches) <= 12
    folder = tmp_path / "checkpoints" / "fit" / "version_0"
    assert [p.name for p in folder.iterdir()] == ["last.ckpt"]
    checkpoint = torch.load(folder / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == saved
    assert all(tensor.isfinite().all() for tensor in checkpoint["state_dict"].values())


def test_the_file_holds_the_rows_of_the_step(fit: Fit, triplets: Path, tmp_path: Path, spoilt: Any) -> None:
    batches = spoilt(4, no_number)
    code, said = fit("--trainer.max_steps", 20, "--trainer.log_every_n_steps", 2)
    assert code == 2
    assert len(batches) < 8
    (file,) = tmp_path.rglob("nan_batch_step_4.jsonl")
    assert file.parent == tmp_path / "logs" / "fit" / "version_0"
    assert str(file.relative_to(tmp_path)) in said_line(said)
    written = [json.loads(line) for line in file.read_text().splitlines()]
    source = [json.loads(line) for line in triplets.read_text().splitlines()]
    assert [(row["step"], 0, row["row"]) for row in written] == [(s, *r) for s in (3, 4) for r in batches[s - 1].rows]
    assert len(written) == 16
    assert all(row["source"] == str(triplets) and row["rank"] == 0 for row in written)
    assert all(row.items() >= source[row["row"]].items() for row in written)


def test_validation_does_not_run_on_lost_weights(fit: Fit, spoilt: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DualEncoder, "validation_step", lambda *_: pytest.fail("validation ran"))
    spoilt(2, no_number)
    options = ["--trainer.max_steps", 20, "--trainer.val_check_interval", 3, "--data.holdout", 0.3]
    assert fit(*options, "--data.batch_size", 4)[0] == 2


def test_the_last_step_is_looked_at_before_the_export(fit: Fit, tmp_path: Path, spoilt: Any) -> None:
    spoilt(3, bad_gradient)
    code, said = fit("--trainer.max_steps", 3)
    assert code == 2
    assert "step 3:" in said_line(said)
    (last,) = (tmp_path / "checkpoints" / "fit" / "version_0").iterdir()
    assert torch.load(last, weights_only=True)["global_step"] == 0


@pytest.mark.slow
def test_one_rank_stops_all(tiny: Path, triplets: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, str(SCRIPT), "fit", "--model.backbone", str(tiny), "--data.files", f"[{triplets}]"),
            *("--data.batch_size", "4", "--data.workers", "0", "--data.holdout", "0", "--trainer.accelerator", "cpu"),
            *("--trainer.devices", "2", "--trainer.strategy", "ddp", "--trainer.enable_progress_bar", "false"),
            *("--trainer.max_steps", "20", "--trainer.log_every_n_steps", "3", "--checkpoint_every", "2"),
        ],
        cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "compret: step 3: the loss or its gradient is not finite" in done.stderr
    assert "Traceback" not in done.stderr
    (file,) = tmp_path.rglob("nan_batch_step_3.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(row["step"], row["rank"]) for row in rows] == [(s, r) for s in (2, 3) for r in (0, 1) for _ in range(4)]
    assert len({row["row"] for row in rows}) == 16
    last = torch.load(tmp_path / "checkpoints" / "fit" / "version_0" / "last.ckpt", weights_only=True)
    assert last["global_step"] == 2
    events = EventAccumulator(str(file.parent))
    events.Reload()
    assert {f"rank_{rank}/tokens_per_second" for rank in (0, 1)} <= set(events.Tags()["scalars"])


def test_nothing_is_read_from_the_device_between_two_looks() -> None:
    """A tensor on `meta` has no value: reading it is an error."""
    trainer: Any = SimpleNamespace(log_every_n_steps=3, global_step=0)
    callback, batch = FiniteLoss(), SimpleNamespace(rows=((0, 0),))
    callback.on_fit_start(trainer, None)  # type: ignore[arg-type]
    outputs = {"loss": torch.zeros((), device="meta")}
    for _ in range(3):
        callback.on_train_batch_start(trainer, None, batch, 0)  # type: ignore[arg-type]
        callback.on_train_batch_end(trainer, None, outputs, batch, 0)  # type: ignore[arg-type]
    with pytest.raises((RuntimeError, NotImplementedError)):
        callback.on_train_batch_end(trainer, None, outputs, batch, 0)  # type: ignore[arg-type]
