"""Checkpoints that are not whole, and sharded ones, are understood or refused in one line that names the file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric.utilities.load import _load_distributed_checkpoint
from lightning.pytorch.utilities.consolidate_checkpoint import _format_checkpoint
from torch.distributed.checkpoint import FileSystemWriter, save

from compret.metrics.calibration import Calibration
from compret.tasks import SimilarityMapVerifier
from compret.tasks.stored import stored_model
from compret.types import UserError

RECIPE = {"backbone": "tiny", "pooling": "cls"}
EXTRA: dict[str, Any] = {
    "compret": {"class": "compret.tasks.DualEncoder", "recipe": RECIPE, "config": None},
    "global_step": 3,
    "pytorch-lightning_version": "2.6.6",
    **{"loops": {}, "lr_schedulers": [], "epoch": 0},
}


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    """A folder as Lightning's FSDP writes it, with two shards."""
    folder = tmp_path / "last.ckpt"
    state = {"model": {"a": torch.zeros(1000), "b": torch.ones(1000)}}
    with pytest.warns(UserWarning, match="single process"):
        save(state, storage_writer=FileSystemWriter(folder, thread_count=2), no_dist=True)
    torch.save(EXTRA, folder / "meta.pt")
    assert len(list(folder.glob("*.distcp"))) == 2
    return folder


def test_the_recipe_of_a_sharded_checkpoint_is_read(sharded: Path) -> None:
    assert stored_model(sharded) == {"class": "compret.tasks.DualEncoder", "recipe": RECIPE}


def test_a_sharded_checkpoint_made_one_file_says_the_same(sharded: Path, tmp_path: Path) -> None:
    torch.save(_format_checkpoint(_load_distributed_checkpoint(sharded)), tmp_path / "one.ckpt")
    assert stored_model(tmp_path / "one.ckpt") == stored_model(sharded)


@pytest.mark.parametrize(
    ("name", "left", "expected"),
    [
        ("__0_1.distcp", None, "__0_1.distcp: this shard is missing"),
        ("__0_0.distcp", 100, "__0_0.distcp: this shard is cut off"),
        (".metadata", 0, ".metadata: cannot be read"),
        (".metadata", None, "a folder without .metadata, so no sharded checkpoint; give a .ckpt file"),
        ("meta.pt", None, "meta.pt: no such file"),
        ("meta.pt", 0, "meta.pt: the file is empty"),
    ],
)
def test_what_a_sharded_checkpoint_lacks_is_named(sharded: Path, name: str, left: int | None, expected: str) -> None:
    file = sharded / name
    content = file.read_bytes()
    file.unlink()
    if left is not None:
        file.write_bytes(content[:left])
    with pytest.raises(UserError) as error:
        stored_model(sharded)
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_named(tmp_path: Path, share: float) -> None:
    file = tmp_path / "last.ckpt"
    torch.save({**EXTRA, "state_dict": {"a": torch.zeros(10_000)}}, file)
    assert stored_model(file)["recipe"] == RECIPE
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    with pytest.raises(UserError, match=r"last.ckpt: the file is (empty|cut off or damaged); give another checkpoint"):
        stored_model(file)


def test_a_folder_of_checkpoints_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "last.ckpt").touch()
    with pytest.raises(UserError, match=r"give one of its files, such as .*/last.ckpt"):
        stored_model(tmp_path)


def test_shards_need_a_strategy_that_reads_them(
    compret: Callable[..., tuple[int, str]], sharded: Path, tiny: Path, triplets: Path
) -> None:
    options = ["--model.backbone", tiny, "--data.files", f"[{triplets}]", "--trainer.accelerator", "cpu"]
    code, said = compret("fit", *options, "--data.batch_size", 8, "--trainer.max_steps", 1, "--ckpt_path", sharded)
    assert code == 2
    (told,) = [line for line in said.splitlines() if line.startswith("compret: ")]
    assert "sharded, for --trainer.strategy fsdp; to make one file of it: python -m lightning" in told


def test_a_task_takes_a_checkpoint_whose_weights_the_strategy_has_loaded(tiny: Path) -> None:
    task = SimilarityMapVerifier(backbone=str(tiny))
    calibration = Calibration(threshold=0.25, false_accept_rate=0.05, temperature=1.0, shift=0.0)
    task.on_load_checkpoint({"compret": {**EXTRA["compret"], "calibration": asdict(calibration)}})
    assert task.calibration == calibration
