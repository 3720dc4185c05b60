"""Checkpoints that are not whole, and sharded ones, are understood or refused in one line that names the file."""

from __future__ import annotations

import dataclasses
import os
import pickle
import zipfile
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
from compret.tasks.checkpoint import stored_model
from compret.types import UserError

RECIPE = {"backbone": "tiny", "pooling": "cls"}
EXTRA: dict[str, Any] = {
    "compret": {"class": "compret.tasks.DualEncoder", "recipe": RECIPE, "config": None},
    "global_step": 3,
    "pytorch-lightning_version": "2.6.6",
    **{
        "loops": {f"{stage}_loop": {} for stage in ("fit", "validate", "test", "predict")},
        "lr_schedulers": [],
        "epoch": 0,
    },
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


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.canary}",)


def with_recipe(**options: Any) -> dict[str, Any]:
    return {**EXTRA, "compret": {**EXTRA["compret"], "recipe": {**RECIPE, **options}}, "state_dict": {}}


def named(class_path: str, **options: Any) -> dict[str, Any]:
    return {"class_path": class_path, "init_args": options}


POPEN = named("subprocess.Popen", args=["touch", "canary"])
RESIDUAL = "compret.nn.verifiers.residual.Residual"
NOT_WHOLE: dict[str, Callable[[Path], Any]] = {
    "code": Touch,
    "code beside": lambda canary: {**with_recipe(), "x": Touch(canary)},
    "a list": lambda canary: [1],
    "a tensor": lambda canary: torch.zeros(3),
    "numbers for names": lambda canary: {1: 2},
    "nothing of compret": lambda canary: {"state_dict": {}},
    "compret is a list": lambda canary: {**EXTRA, "compret": [1]},
    "no class": lambda canary: {**EXTRA, "compret": {"recipe": RECIPE}},
    "another class": lambda canary: {**EXTRA, "compret": {"class": "os.system", "recipe": RECIPE}},
    "a class beside": lambda canary: {**EXTRA, "compret": {"class": "beside.Evil", "recipe": RECIPE}},
    "no recipe": lambda canary: {**EXTRA, "compret": {"class": "compret.tasks.DualEncoder"}},
    "a backbone that is a number": lambda canary: with_recipe(backbone=3),
    "a verifier that is run": lambda canary: with_recipe(verifier=POPEN),
    "one within a verifier": lambda canary: with_recipe(verifier=named(RESIDUAL, verifier=POPEN)),
    "a verifier beside": lambda canary: with_recipe(verifier=named("beside.Evil")),
    "a class elsewhere": lambda canary: with_recipe(loss=POPEN),
    "a class deeper": lambda canary: with_recipe(loss=[{"a": POPEN}]),
    "a class for a text": lambda canary: with_recipe(query_prompt=POPEN),
    "a class in an adapter": lambda canary: with_recipe(lora={"targets": POPEN}),
    "a pooling that there is not": lambda canary: with_recipe(pooling="max"),
    "an infinite weight": lambda canary: with_recipe(recall_weight=float("inf")),
    "length 0": lambda canary: with_recipe(max_length=0),
    "no version": lambda canary: {k: v for k, v in with_recipe().items() if k != "pytorch-lightning_version"},
    "an odd version": lambda canary: {**with_recipe(), "pytorch-lightning_version": "new"},
    "loops: a list": lambda canary: {**with_recipe(), "loops": []},
    "loops: none for testing": lambda canary: {**with_recipe(), "loops": {"fit_loop": {}}},
    "weights: a list": lambda canary: {**with_recipe(), "state_dict": []},
    "weights: texts": lambda canary: {**with_recipe(), "state_dict": {"a": "b"}},
    "weights: none": lambda canary: EXTRA,
}


@pytest.mark.parametrize("case", NOT_WHOLE)
def test_a_checkpoint_is_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """It names no class that is imported, and what is not as it was written is one line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "beside.py").write_text("open('canary', 'w')\nclass Evil: ...\n")
    torch.save(NOT_WHOLE[case](tmp_path / "canary"), tmp_path / "last.ckpt")
    with pytest.raises(UserError, match="last.ckpt") as error:
        stored_model(tmp_path / "last.ckpt")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("key", ["optimizer_states", "lr_schedulers", "loops", "epoch", "global_step"])
def test_training_goes_on_from_whole_checkpoints_alone(tmp_path: Path, key: str) -> None:
    whole = {**with_recipe(), "optimizer_states": []}
    torch.save({k: v for k, v in whole.items() if k != key}, tmp_path / "last.ckpt")
    stored_model(tmp_path / "last.ckpt")
    with pytest.raises(UserError, match=rf"last.ckpt: holds no {key.replace('_', ' ')}, so training cannot go on"):
        stored_model(tmp_path / "last.ckpt", resume=True)
    torch.save(whole, tmp_path / "last.ckpt")
    stored_model(tmp_path / "last.ckpt", resume=True)


def test_a_compressed_checkpoint_is_not_unpacked(tmp_path: Path) -> None:
    torch.save(with_recipe(), tmp_path / "whole.ckpt")
    with (
        zipfile.ZipFile(tmp_path / "whole.ckpt") as old,
        zipfile.ZipFile(tmp_path / "last.ckpt", "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for entry in old.infolist():
            new.writestr(entry.filename, old.read(entry))
        new.writestr("archive/data/9", bytes(1 << 26))
    with pytest.raises(UserError, match="last.ckpt: a compressed archive"):
        stored_model(tmp_path / "last.ckpt")


def metadata_of(folder: Path) -> Any:
    return pickle.loads((folder / ".metadata").read_bytes())


@pytest.mark.parametrize("where", [".metadata", "storage", "meta.pt", "a shard"])
def test_a_sharded_checkpoint_is_data(sharded: Path, where: str) -> None:
    """Torch would unpickle .metadata, and what is no tensor in the shards, with any class."""
    canary = sharded / "canary"
    metadata = metadata_of(sharded)
    if where == ".metadata":
        (sharded / ".metadata").write_bytes(pickle.dumps(Touch(canary)))
    elif where == "storage":
        metadata.planner_data = Touch(canary)
        (sharded / ".metadata").write_bytes(pickle.dumps(metadata))
    elif where == "meta.pt":
        torch.save({**EXTRA, "x": Touch(canary)}, sharded / "meta.pt")
    else:
        write_object(sharded, Touch(canary))
    with pytest.raises(UserError) as error:
        stored_model(sharded)
    assert "\n" not in str(error.value)
    assert not canary.exists()


def write_object(folder: Path, value: Any) -> None:
    """One more entry of the checkpoint that is no tensor, as an optimiser's step is."""
    from torch.distributed.checkpoint.metadata import BytesStorageMetadata, MetadataIndex

    metadata, file = metadata_of(folder), folder / "__0_0.distcp"
    begins = file.stat().st_size
    with file.open("ab") as opened:
        torch.save(value, opened)
    part = dataclasses.replace(
        next(iter(metadata.storage_data.values())),
        relative_path=file.name,
        offset=begins,
        length=file.stat().st_size - begins,
    )
    metadata.storage_data[MetadataIndex("x")] = part
    metadata.state_dict_metadata["x"] = BytesStorageMetadata()
    (folder / ".metadata").write_bytes(pickle.dumps(metadata))


def test_plain_objects_in_shards_are_read(sharded: Path) -> None:
    write_object(sharded, {"lr": 1e-3, "betas": (0.9, 0.95), "foreach": None})
    assert stored_model(sharded)["recipe"] == RECIPE


@pytest.mark.parametrize("name", ["../out.distcp", "/etc/hostname", "a/../../out.distcp"])
def test_shards_are_files_of_the_folder(sharded: Path, name: str) -> None:
    (sharded.parent / "out.distcp").write_bytes(bytes(100_000))
    metadata = metadata_of(sharded)
    for part in metadata.storage_data.values():
        part.relative_path = name
    (sharded / ".metadata").write_bytes(pickle.dumps(metadata))
    with pytest.raises(UserError, match=r"\.metadata: cannot be read .*is no file of the folder"):
        stored_model(sharded)


def test_a_shard_that_is_a_link_is_refused(sharded: Path) -> None:
    shard = next(sharded.glob("*.distcp"))
    shard.rename(sharded.parent / "out.distcp")
    shard.symlink_to(sharded.parent / "out.distcp")
    with pytest.raises(UserError, match=r"\.metadata: cannot be read .*is no file of the folder"):
        stored_model(sharded)


def test_weights_that_are_no_numbers_are_refused(tiny: Path) -> None:
    task = SimilarityMapVerifier(backbone=str(tiny))
    checkpoint: dict[str, Any] = {"state_dict": {k: v.clone() for k, v in task.state_dict().items()}}
    task.on_save_checkpoint(checkpoint)
    task.on_load_checkpoint(checkpoint)
    name = next(iter(checkpoint["state_dict"]))
    checkpoint["state_dict"][name].view(-1)[0] = float("nan")
    with pytest.raises(UserError, match=rf"the checkpoint: {name} is not finite"):
        task.on_load_checkpoint(checkpoint)


def test_a_task_takes_a_checkpoint_whose_weights_the_strategy_has_loaded(tiny: Path) -> None:
    task = SimilarityMapVerifier(backbone=str(tiny))
    calibration = Calibration(threshold=0.25, false_accept_rate=0.05, temperature=1.0, shift=0.0)
    recipe = {**EXTRA["compret"], "calibration": asdict(calibration)}
    task.on_load_checkpoint({"compret": recipe})
    assert task.calibration == calibration
