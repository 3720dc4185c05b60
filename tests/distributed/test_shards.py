"""Fully sharded training (FSDP) on two ranks: the weights of one process, also resumed; the same results."""

from __future__ import annotations

import json
import os
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.fabric.utilities.load import _load_distributed_checkpoint

from tests.processes import COMPRET, ON_CPU, outcome, run_here

SHARDS = (
    *("--config", "cluster/fsdp.yaml", "--trainer.devices", "2", "--trainer.precision", "32-true"),
    *("--matmul_precision", "highest", "--trainer.strategy.class_path", "cpu_shards.CPUShards"),
)
"""The overlay, but for what wants a GPU: Lightning's FSDP does, torch's does not."""
TRANSFORMER = (
    *("--model", "SimilarityMapVerifier", "--model.verifier", "MapTransformer", "--model.verifier.width", "16"),
    *("--model.verifier.layers", "1", "--model.verifier.heads", "2", "--model.verifier.dropout", "0"),
)
UNSEEN = ("key.bias", "project.bias", "head.3.bias")
"""No score depends on them (attention's keys, a softmax's shift): their gradient is mere rounding."""


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    found = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return outcome([*COMPRET, *arguments, *ON_CPU, "--trainer.default_root_dir", folder], env={"PYTHONPATH": found})


def fit(folder: Path, tiny: Path, file: Path, rows: int, *more: str) -> Path:
    """Trains with a clipped gradient and decay, at a rate that does not depend on the number of steps."""
    options = (
        *("--model.backbone", str(tiny), "--model.max_length", "32", "--model.dropout", "0"),
        *("--model.optimizer.lr", "1e-3", "--model.optimizer.schedule", "constant", "--model.optimizer.warmup", "1"),
        *("--data.files", f"[{file}]", "--data.batch_size", str(rows), "--data.holdout", "0.1", "--data.workers", "0"),
        *("--trainer.gradient_clip_val", "0.05", "--name", "fit"),
    )
    if SHARDS[-1] in more:
        code, said = run(folder, "fit", *more, *options)
        assert code == 0, said[-3000:]
        assert "sync_dist" not in said
    else:
        run_here([*COMPRET, "fit", *more, *options, *ON_CPU, "--trainer.default_root_dir", folder])
    return folder / "checkpoints" / "fit" / "version_0" / "last.ckpt"


def weights(path: Path) -> dict[str, torch.Tensor]:
    if path.is_dir():
        return dict(_load_distributed_checkpoint(path)["model"])
    return dict(torch.load(path, weights_only=True)["state_dict"])


def assert_equal(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name in (name for name in expected if not name.endswith(UNSEEN)):
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=1e-5, msg=name)


@pytest.mark.slow
def test_shards_end_with_the_weights_of_one_process(tiny: Path, triplets: Path, beir: Path, tmp_path: Path) -> None:
    """With validation, in which shards have other numbers of passes; stopped half-way and resumed."""
    suites = json.dumps([{"class_path": "NanoBEIR", "init_args": {"source": str(beir)}}])
    sharded = (*SHARDS, "--data.validation", suites, "--trainer.val_check_interval", "5")
    one = fit(tmp_path / "one", tiny, triplets, 8, "--trainer.max_steps", "12")
    half = fit(tmp_path / "half", tiny, triplets, 4, *sharded, "--trainer.max_steps", "6")
    more = ("--trainer.max_steps", "12", "--ckpt_path", str(half))
    resumed = fit(tmp_path / "resumed", tiny, triplets, 4, *sharded, *more)
    begun, expected = weights(half), weights(one)
    assert max(float((begun[name] - expected[name]).abs().max()) for name in expected) > 1e-3
    assert_equal(weights(resumed), expected)


@pytest.mark.slow
def test_a_verifier_and_its_encoder_are_sharded(tiny: Path, triplets: Path, tmp_path: Path) -> None:
    steps = (*TRANSFORMER, "--trainer.max_steps", "6")
    one = fit(tmp_path / "one", tiny, triplets, 8, *steps)
    two = fit(tmp_path / "two", tiny, triplets, 4, *steps, *SHARDS)
    assert len(list(two.glob("__*.distcp"))) == 2, "a shard each"
    assert_equal(weights(two), weights(one))


@pytest.mark.slow
def test_shards_are_tested_like_a_whole_model(
    compret: Callable[..., tuple[int, str]],
    tiny: Path,
    triplets: Path,
    beir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sharded = fit(tmp_path, tiny, triplets, 4, *SHARDS, "--trainer.max_steps", "2")
    command = ("test", "--data.source", str(beir), "--ckpt_path", str(sharded))
    code, said = compret(*command, *ON_CPU)
    assert code == 2
    assert f"{sharded}: sharded, for --trainer.strategy fsdp" in said
    _, _, module, *arguments = said[said.index("python -m lightning") :].split()[:4]
    monkeypatch.setattr(sys, "argv", [module, *arguments])
    monkeypatch.delitem(sys.modules, module, raising=False)  # another test may have imported it
    runpy.run_module(module, run_name="__main__")
    assert run(tmp_path, *command, *SHARDS)[0] == 0
    assert compret(*command[:-1], f"{sharded}.consolidated", *ON_CPU)[0] == 0
    found = [json.loads(path.read_text()) for path in sorted(tmp_path.glob("logs/test/version_*/results.json"))]
    assert len(found) == 2
    assert found[0]["retrieval"] == found[1]["retrieval"]


@pytest.mark.slow
def test_a_frozen_encoder_is_not_sharded(tiny: Path, triplets: Path, tmp_path: Path) -> None:
    model = (*TRANSFORMER, "--model.frozen", "true", "--model.backbone", str(tiny), "--model.max_length", "32")
    data = ("--data.files", f"[{triplets}]", "--data.batch_size", "4", "--data.workers", "0")
    code, said = run(tmp_path, "fit", *model, *data, *SHARDS, "--trainer.max_steps", "1")
    assert code != 0
    assert "compret: model.frozen: each rank encodes what it has not seen" in said
    assert "Traceback" not in said
