"""Exports and checkpoints with values, bytes and files changed at random work or are one line, and run nothing."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from compret.evaluation.guard_files import save_verifier
from compret.evaluation.retriever import TwoStageRetriever
from compret.evaluation.verifier_scorer import Recall
from compret.metrics.calibration import Calibration
from compret.nn.encoder import TextEncoder
from compret.nn.verifiers import MapTransformer, Residual
from compret.tasks import SimilarityMapVerifier
from compret.tasks.checkpoint import read_checkpoint, stored_model
from compret.types import UserError
from tests.fuzz.cases import break_file, cases, check_line, mutated, one_of


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "export"
    TextEncoder(str(tiny)).save(folder)
    torch.manual_seed(0)
    verifier = Residual(MapTransformer(16, 1, 2, 32, max_length=32))
    save_verifier(folder, verifier, True, Calibration(0.0, 0.05, 1.0, 0.0), Recall())
    return folder


@pytest.mark.parametrize("seed", cases(60))
def test_an_export_works_or_is_one_line(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(seed)
    folder = shutil.copytree(export, tmp_path / "export")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    settings = [path for path in files if path.name not in ("tokenizer.json", "model.safetensors")]
    break_file(one_of(settings if rng.random() < 0.8 else files, rng), rng)
    begun = time.monotonic()
    try:
        guard = TwoStageRetriever.from_pretrained(folder)
        guard.same("the dog bit the man", "the man bit the dog")
        guard.index(["a dog", "a cat"]).search(["the dog"], 1)
    except UserError as error:
        check_line(error)
    assert time.monotonic() - begun < 20
    assert not (tmp_path / "canary").exists()


@pytest.fixture(scope="module")
def checkpoint(tiny: Path) -> dict[str, Any]:
    task = SimilarityMapVerifier(Residual(MapTransformer(16, 1, 2, 32, max_length=32)), str(tiny))
    stored: dict[str, Any] = {"state_dict": dict(task.state_dict()), "pytorch-lightning_version": "2.6.6"}
    task.calibration = Calibration(0.0, 0.05, 1.0, 0.0)
    task.on_save_checkpoint(stored)
    return stored


@pytest.mark.parametrize("seed", cases(60))
def test_a_checkpoint_works_or_is_one_line(
    checkpoint: dict[str, Any], tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(seed)
    plain = json.loads(json.dumps({k: v for k, v in checkpoint.items() if k != "state_dict"}))
    weights = {k: v.clone() for k, v in checkpoint["state_dict"].items()}
    changed = mutated(plain, rng) if rng.random() < 0.8 else plain
    file = tmp_path / "last.ckpt"
    torch.save({**changed, "state_dict": weights} if isinstance(changed, dict) else changed, file)
    if changed is plain and rng.random() < 0.3:
        break_file(file, rng)
    try:
        stored_model(file)
        task = SimilarityMapVerifier(Residual(MapTransformer(16, 1, 2, 32, max_length=32)), str(tiny))
        task.on_load_checkpoint(read_checkpoint(file))
    except UserError as error:
        check_line(error)
    assert not (tmp_path / "canary").exists()
