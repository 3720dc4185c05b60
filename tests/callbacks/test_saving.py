"""A full disk: the checkpoint from before stays, nothing half-written does, and one line says so."""

from __future__ import annotations

import errno
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from lightning.pytorch.callbacks import ModelCheckpoint

from compret.callbacks.export import Export
from compret.callbacks.saving import LastCheckpoint, WholeFiles
from compret.types import UserError

Fit = Callable[..., tuple[int, str]]


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """The system refuses files of more than so many bytes, in the middle of a write as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def within_small_files(function: Any, when: Callable[[Any], bool]) -> Any:
    def limited(self: Any, trainer: Any, *arguments: Any) -> Any:
        if not when(trainer):
            return function(self, trainer, *arguments)
        with small_files(20_000):
            return function(self, trainer, *arguments)

    return limited


def told(said: str) -> str:
    (line,) = [line for line in said.splitlines() if line.startswith("compret: ")]
    return line


def test_a_checkpoint_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "last.ckpt"
    WholeFiles().save_checkpoint({"a": torch.zeros(100_000)}, path)
    with small_files(100_000), pytest.raises(UserError, match=r"last.ckpt: cannot be written \(File too large\)"):
        WholeFiles().save_checkpoint({"a": torch.ones(100_000)}, path)
    assert [p.name for p in path.parent.iterdir()] == ["last.ckpt"]
    assert not WholeFiles().load_checkpoint(path, weights_only=True)["a"].any()
    WholeFiles().save_checkpoint({"a": torch.ones(100_000)}, path)
    assert WholeFiles().load_checkpoint(path, weights_only=True)["a"].all()


def test_without_a_checkpoint_one_starts_again(tmp_path: Path) -> None:
    with small_files(20_000), pytest.raises(UserError, match="make space and start again"):
        WholeFiles().save_checkpoint({"a": torch.zeros(100_000)}, tmp_path / "last.ckpt")
    assert not list(tmp_path.iterdir())


def test_last_survives_a_full_disk(fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save = within_small_files(LastCheckpoint.on_train_batch_end, lambda trainer: trainer.global_step == 4)
    monkeypatch.setattr(LastCheckpoint, "on_train_batch_end", save)
    code, said = fit("--trainer.max_steps", 6, "--checkpoint_every", 2)
    folder = tmp_path / "checkpoints" / "fit" / "version_0"
    assert code == 2, said
    assert "checkpoints/fit/version_0/last.ckpt: cannot be written (File too large)" in told(said)
    assert told(said).endswith(f"make space and go on with --ckpt_path {folder / 'last.ckpt'}")
    assert [p.name for p in folder.iterdir()] == ["last.ckpt"]
    assert torch.load(folder / "last.ckpt", weights_only=True)["global_step"] == 2


def test_best_survives_a_full_disk(fit: Fit, beir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    validation = [{"class_path": "compret.data.NanoBEIR", "init_args": {"source": str(beir), "datasets": ["park"]}}]
    (tmp_path / "val.yaml").write_text(yaml.dump({"data": {"init_args": {"validation": validation}}}))
    save = within_small_files(ModelCheckpoint._save_checkpoint, lambda trainer: trainer.global_step == 4)
    monkeypatch.setattr(ModelCheckpoint, "_save_checkpoint", save)
    # each validation is better than the one before, so that the second is to be saved too
    monkeypatch.setattr(
        "compret.evaluation.results.Results.headline", lambda self, scores=iter((0.1, 0.2)): next(scores)
    )
    options = ["--config", "val.yaml", "--trainer.max_steps", 6, "--trainer.val_check_interval", 2]
    code, said = fit(*options, "--checkpoint_every", 3)
    folder = tmp_path / "checkpoints" / "fit" / "version_0"
    assert code == 2, said
    assert "best.ckpt: cannot be written (File too large)" in told(said)
    assert {p.name for p in folder.iterdir()} == {"last.ckpt", "best.ckpt"}
    steps = [torch.load(folder / name, weights_only=True)["global_step"] for name in ("best.ckpt", "last.ckpt")]
    assert steps == [2, 4], "last.ckpt was written before the validation"


def test_the_export_is_whole_or_absent_and_can_be_had_again(
    fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = Export.on_fit_end
    monkeypatch.setattr(Export, "on_fit_end", within_small_files(export, lambda trainer: True))
    code, said = fit("--trainer.max_steps", 2)
    folder = tmp_path / "checkpoints" / "fit" / "version_0"
    assert code == 2, said
    assert "checkpoints/fit/version_0/export: the export cannot be written" in told(said)
    assert [p.name for p in folder.iterdir()] == ["last.ckpt"]

    monkeypatch.setattr(Export, "on_fit_end", export)
    code, said = fit("--trainer.max_steps", 2, "--ckpt_path", folder / "last.ckpt")
    assert code == 0, said
    assert (folder.with_name("version_1") / "export" / "model.safetensors").is_file()


def test_a_full_disk_is_told_wherever_it_shows(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "events.out")

    monkeypatch.setattr("compret.callbacks.monitors.Throughput.on_train_start", full)
    code, said = fit("--trainer.max_steps", 2)
    assert code == 2
    assert told(said) == "compret: events.out: cannot be written (No space left on device); make space"
