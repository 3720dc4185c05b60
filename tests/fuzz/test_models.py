"""Exports and checkpoints with values, bytes and files changed at random work or are one line, and run nothing."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator
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

CASES = int(os.environ.get("COMPRET_FUZZ", "120"))
"""Of each test; a thorough run takes thousands."""
ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 3, 1 << 16, 1 << 31, 1 << 62, 10**400, 0.5, -0.5, 1e308, float("nan"), float("inf")),
    *("", "x", "../x", "/etc/passwd", "a\0b", "\ud800", "os.system", "subprocess.Popen", "torch.load", "x" * 5000),
    *([], {}, [1], ["x"], [[[]]], {"a": 1}, {"class_path": "os.system", "init_args": {"command": "touch canary"}}),
]


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "export"
    TextEncoder(str(tiny)).save(folder)
    torch.manual_seed(0)
    verifier = Residual(MapTransformer(16, 1, 2, 32, max_length=32))
    save_verifier(folder, verifier, True, Calibration(0.0, 0.05, 1.0, 0.0), Recall())
    return folder


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value within stands; of the vocabulary, a few."""
    yield path
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in list(inner)[:40]:
        yield from places(value, (*path, key))


def mutated(content: Any, rng: np.random.Generator) -> Any:
    """With one value replaced or removed."""
    path = list(places(content))[int(rng.integers(len(list(places(content)))))]
    value = ODD[int(rng.integers(len(ODD)))]
    if not path:
        return value
    part = content
    for key in path[:-1]:
        part = part[key]
    if rng.random() < 0.2:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    return content


def break_file(path: Path, rng: np.random.Generator) -> None:
    """Another JSON value, a few other bytes, or a shorter file."""
    content = path.read_bytes()
    if path.suffix == ".json" and rng.random() < 0.8:
        path.write_text(json.dumps(mutated(json.loads(content), rng)))
    elif rng.random() < 0.5:
        changed = bytearray(content)
        for place in rng.integers(min(len(content), 4096 if rng.random() < 0.5 else len(content)), size=3):
            changed[place] = int(rng.integers(256))
        path.write_bytes(bytes(changed))
    else:
        path.write_bytes(content[: int(rng.integers(len(content)))])


def check(error: UserError) -> None:
    assert "\n" not in str(error)
    assert 10 < len(str(error)) < 1000


@pytest.mark.parametrize("seed", range(CASES))
def test_an_export_works_or_is_one_line(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(seed)
    folder = shutil.copytree(export, tmp_path / "export")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    settings = [path for path in files if path.name not in ("tokenizer.json", "model.safetensors")]
    chosen = settings if rng.random() < 0.8 else files
    break_file(chosen[int(rng.integers(len(chosen)))], rng)
    begun = time.monotonic()
    try:
        guard = TwoStageRetriever.from_pretrained(folder)
        guard.same("the dog bit the man", "the man bit the dog")
        guard.index(["a dog", "a cat"]).search(["the dog"], 1)
    except UserError as error:
        check(error)
    assert time.monotonic() - begun < 20
    assert not (tmp_path / "canary").exists()


@pytest.fixture(scope="module")
def checkpoint(tiny: Path) -> dict[str, Any]:
    task = SimilarityMapVerifier(Residual(MapTransformer(16, 1, 2, 32, max_length=32)), str(tiny))
    stored: dict[str, Any] = {"state_dict": dict(task.state_dict()), "pytorch-lightning_version": "2.6.6"}
    task.calibration = Calibration(0.0, 0.05, 1.0, 0.0)
    task.on_save_checkpoint(stored)
    return stored


@pytest.mark.parametrize("seed", range(CASES))
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
        check(error)
    assert not (tmp_path / "canary").exists()
