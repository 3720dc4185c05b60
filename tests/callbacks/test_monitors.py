"""Throughput: what is logged, and that it is what a plain count gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from compret.callbacks import monitors
from compret.tasks import DualEncoder

Fit = Callable[..., tuple[int, str]]
ALWAYS = {"texts_per_second", "tokens_per_second", "peak_memory_gib"}


class Clock:
    """A second more each time that it is asked."""

    def __init__(self) -> None:
        self.seconds = 0

    def perf_counter(self) -> float:
        self.seconds += 1
        return self.seconds


def logged(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Name -> (step, value) of all that a fit logged of its rank 0."""
    events = EventAccumulator(str(folder / "logs" / "fit" / "version_0"))
    events.Reload()
    named = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    return {tag.removeprefix("rank_0/"): values for tag, values in named.items()}


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All batches that a DualEncoder is trained on from now on."""
    seen: list[Any] = []
    batch_loss = DualEncoder.batch_loss
    monkeypatch.setattr(DualEncoder, "batch_loss", lambda task, batch: (seen.append(batch), batch_loss(task, batch))[1])
    return seen


def test_what_is_logged_equals_a_plain_count(
    fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batches: list[Any]
) -> None:
    monkeypatch.setattr(monitors, "time", Clock())
    monkeypatch.setattr(monitors, "get_available_flops", lambda device, dtype: 10**9)
    assert fit("--trainer.max_steps", 6, "--trainer.log_every_n_steps", 2, "--data.holdout", 0)[0] == 0
    found = logged(tmp_path)
    texts = [len(batch) * 2 + len(batch.negative_anchors) for batch in batches]
    tokens = [int(sum(p.mask_BM.sum() for p in batch.passes)) for batch in batches]
    assert [step for step, _ in found["tokens_per_second"]] == [step for step, _ in found["train_loss"]] == [1, 3, 5]
    assert [value for _, value in found["texts_per_second"]] == [sum(texts[i : i + 2]) for i in (0, 2, 4)]
    assert [value for _, value in found["tokens_per_second"]] == [sum(tokens[i : i + 2]) for i in (0, 2, 4)]
    assert sum(tokens) < sum(batch.tokens for batch in batches)
    assert [v for _, v in found["mfu"]] == pytest.approx([v * 1e3 for _, v in found["tflops_per_second"]])
    assert all(0.05 < value < 64 for _, value in found["peak_memory_gib"])


def test_an_unknown_device_has_no_utilisation(fit: Fit, tmp_path: Path) -> None:
    assert fit("--trainer.max_steps", 2, "--trainer.log_every_n_steps", 1)[0] == 0
    found = set(logged(tmp_path))
    assert found >= {*ALWAYS, "tflops_per_second", "grad_norm_encoder"}
    assert not found & {"mfu", "grad_norm_verifier"}


def test_validation_is_not_counted(fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(monitors, "time", clock)
    validate = DualEncoder.validation_step

    def slow(*arguments: Any) -> None:
        clock.seconds += 1000
        validate(*arguments)

    monkeypatch.setattr(DualEncoder, "validation_step", slow)
    options = ["--trainer.max_steps", 4, "--trainer.log_every_n_steps", 4, "--trainer.val_check_interval", 2]
    assert fit(*options, "--data.holdout", 0.3, "--data.batch_size", 4)[0] == 0
    assert clock.seconds > 1000
    # asked at the start, before and after the validation of step 2, and at the end
    assert logged(tmp_path)["texts_per_second"] == [(3, 4 * 4 * 3 / 2)]


def test_the_norm_is_that_of_the_gradient_before_it_is_clipped(
    fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    norms: list[float] = []

    def measure(task: DualEncoder, optimizer: Any) -> None:
        gradients = [p.grad.flatten() for p in task.encoder.parameters() if p.grad is not None]
        norms.append(float(torch.cat(gradients).norm()))

    monkeypatch.setattr(DualEncoder, "on_before_optimizer_step", measure)
    options = ["--trainer.accumulate_grad_batches", 2, "--trainer.gradient_clip_val", 1e-4]
    assert fit("--trainer.max_steps", 2, "--trainer.log_every_n_steps", 1, *options)[0] == 0
    found = logged(tmp_path)["grad_norm_encoder"]
    assert [step for step, _ in found] == [0, 1]
    assert [value for _, value in found] == pytest.approx(norms, rel=1e-5)
    assert min(norms) > 1e-4


def test_a_frozen_encoder_costs_nothing_and_the_verifier_has_its_own_norm(fit: Fit, tmp_path: Path) -> None:
    verifier = [
        "--model",
        "SimilarityMapVerifier",
        "--model.verifier",
        "compret.nn.verifiers.MapTransformer",
        "--model.frozen",
        "true",
    ]
    code, said = fit("--trainer.max_steps", 1, "--trainer.log_every_n_steps", 1, *verifier)
    assert code == 0, said
    found = set(logged(tmp_path))
    assert found >= {*ALWAYS, "grad_norm_verifier"}
    assert not found & {"grad_norm_encoder", "tflops_per_second", "mfu"}


def test_without_a_logger_no_rank_waits_for_others(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitors, "gather_objects", lambda *_: pytest.fail("gathered for nobody"))
    monkeypatch.setattr(monitors, "gradient_norm", lambda *_: pytest.fail("measured for nobody"))
    assert fit("--trainer.max_steps", 1, "--trainer.logger", "false")[0] == 0


def test_nothing_is_read_from_the_device_in_a_step() -> None:
    """A tensor on `meta` has no value: reading it is an error."""
    module = torch.nn.Linear(2, 2, device="meta")
    module.weight.grad = torch.zeros(2, 2, device="meta")
    trainer: Any = SimpleNamespace(log_every_n_steps=1, global_step=0, model=module, loggers=[None])
    callback = monitors.Throughput()
    callback.on_before_optimizer_step(trainer, SimpleNamespace(encoder=module), None)  # type: ignore[arg-type]
    with pytest.raises((RuntimeError, NotImplementedError)):
        float(callback.norms["grad_norm_encoder"])
