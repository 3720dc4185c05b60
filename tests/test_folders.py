"""A run's folders: names that can be written, and none that is left by a run which never began."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from compret.evaluation.names import check_names, file_stem
from compret.folders import check_name, newest_checkpoint, next_version
from compret.types import UserError

Run = Callable[..., tuple[int, str]]


@pytest.mark.parametrize("name", ["../x", "/x", "a/../b", "..", ".", "", "a//b", "a\0b", "x" * 201, "é" * 101])
def test_a_name_that_leaves_its_room_or_that_no_system_takes_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="--name"):
        check_name(name)


@pytest.mark.parametrize("name", ["mine", "mine/first", "a b", "x" * 200, "..x"])
def test_other_names_are_taken(name: str, tmp_path: Path) -> None:
    check_name(name)
    (tmp_path / "logs" / name / next_version(tmp_path, name)).mkdir(parents=True)
    assert next_version(tmp_path, name) == "version_1"


@pytest.mark.parametrize("command", ["fit", "test"])
def test_a_bad_name_is_told_before_anything_is_read(compret: Run, tmp_path: Path, command: str) -> None:
    code, said = compret(command, "--name", "../mine", "--model.backbone", "none", "--data", "none")
    assert (code, said.count("compret: --name '../mine': a folder below")) == (2, 1)
    assert list(tmp_path.iterdir()) == []


def test_the_newest_checkpoint_needs_one(tmp_path: Path) -> None:
    (tmp_path / "checkpoints" / "mine" / "version_0").mkdir(parents=True)
    with pytest.raises(UserError, match="there is no .*VERSION/last.ckpt; give --name of a fit"):
        newest_checkpoint(tmp_path, "mine", "last")


def small(tiny: Path, *more: object) -> list[object]:
    quiet = ("--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false")
    return ["--model.backbone", tiny, *quiet, *more]


@pytest.mark.parametrize("mistake", ["no file", "no dataset", "no trainer", "interrupted"])
def test_a_failed_start_uses_up_no_version(
    compret: Run, tiny: Path, triplets: Path, beir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str
) -> None:
    data = ("--data.files", f"[{triplets}]", "--data.batch_size", 8, "--data.workers", 0, "--trainer.max_steps", 1)
    broken: dict[str, list[object]] = {
        "no file": ["fit", *small(tiny, *data, "--data.files", "[none.jsonl]")],
        "no dataset": ["test", *small(tiny, "--data.source", beir, "--data.datasets", "[zo]")],
        "no trainer": ["fit", *small(tiny, *data, "--trainer.max_steps", -7)],
        "interrupted": ["fit", *small(tiny, *data)],
    }
    with monkeypatch.context() as patch:
        if mistake == "interrupted":
            patch.setattr("compret.data.Triplets.setup", lambda *_, stage: os.kill(os.getpid(), signal.SIGINT))
        assert compret(*broken[mistake])[0] in (2, 130)
    assert not [room for room in ("logs", "checkpoints") if (tmp_path / room).exists()]


def test_others_folders_stay(compret: Run, tiny: Path, tmp_path: Path) -> None:
    for room in ("logs", "checkpoints"):
        (tmp_path / room / "fit" / "version_0").mkdir(parents=True)
    assert compret("fit", *small(tiny, "--data.files", "[none.jsonl]"))[0] == 2
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*/*")}
    assert {name for name in left if "fit" in name} == {"logs/fit/version_0", "checkpoints/fit/version_0"}


def test_a_run_that_began_stays(compret: Run, tiny: Path, triplets: Path, tmp_path: Path) -> None:
    """Also one that trains nothing, since its checkpoint is of its last step: its export is new."""
    data = ("--data.files", f"[{triplets}]", "--data.batch_size", 8, "--data.workers", 0, "--trainer.max_steps", 1)
    assert compret("fit", *small(tiny, *data))[0] == 0
    assert compret("fit", *small(tiny, *data), "--ckpt_path", "last")[0] == 0
    for version in ("version_0", "version_1"):
        assert (tmp_path / "checkpoints" / "fit" / version / "export" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a", "a"], "stands there twice"),
        (["a/b", "a_b"], "stands there beside 'a/b', whose files have the same names"),
        (["mean"], "has the mean over datasets there"),
        (["x" * 250], "no name for its results' files"),
        (["a\nb"], "no name for its results' files"),
        ([".."], "no name for its results' files"),
    ],
)
def test_dataset_names_that_cannot_be_written_are_refused(names: list[str], told: str) -> None:
    with pytest.raises(UserError, match=told):
        check_names(names)


def test_they_are_refused_before_anything_is_encoded(
    compret: Run, tiny: Path, beir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compret.nn.encoder.TextEncoder.forward", lambda *_: pytest.fail("encoded"))
    (beir / "zoo").rename(beir / "mean")
    code, said = compret("test", *small(tiny, "--data.source", beir))
    assert (code, "dataset 'mean': results.json has the mean" in said) == (2, True)
    suites = [
        {"class_path": "NearMissPairs", "init_args": {"files": [str(tmp_path / f"{name}.jsonl")]}}
        for name in ("x" * 240, "pairs")
    ]
    code, said = compret("test", *small(tiny, "--data", "Suites", "--data.suites", json.dumps(suites)))
    assert (code, "no name for its results' files; at most 200 bytes" in said) == (2, True)


def test_other_names_are_files() -> None:
    check_names(["NanoNQ", "cqadupstack/android", "é", "a b"])
    assert file_stem("cqadupstack/android") == "cqadupstack_android"
