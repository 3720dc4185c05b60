"""docs/extend.md: each of its files, put beside the working directory, does what the page says."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from compret.nn.pair_scoring import TokenStates, score_pairs

Run = Callable[..., tuple[int, str]]
PAGE = (Path(__file__).parents[1] / "docs" / "extend.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r'```python title="(\w+)\.py"\n(.*?)```', PAGE, re.DOTALL))
ON_CPU = ("--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false")


@pytest.fixture(autouse=True)
def _beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, code in FILES.items():
        (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in FILES:
        sys.modules.pop(name, None)


def test_the_page_has_the_three() -> None:
    assert set(FILES) == {"my_verifier", "my_loss", "my_suite"}


def test_a_verifier_is_its_formula() -> None:
    tokens = F.normalize(torch.randn(7, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    left, right = TokenStates(tokens[:3], (3,), tokens[:1]), TokenStates(tokens[3:], (4,), tokens[3:4])
    score = score_pairs(import_module("my_verifier").BestCell(power=2.0), left, right)
    assert float(score) == pytest.approx(max(0.0, float((tokens[:3] @ tokens[3:].T).max())) ** 2, abs=1e-6)


def test_a_verifier_is_tested(compret: Run, tiny: Path, pairs: Path, tmp_path: Path) -> None:
    options = ("--model", "SimilarityMapVerifier", "--model.verifier", "my_verifier.BestCell")
    code, said = compret(
        *("test", *options, "--model.verifier.power", 2, "--model.backbone", tiny, *ON_CPU),
        *("--data", "NearMissPairs", "--data.files", f"[{pairs}]"),
    )
    assert code == 0, said
    stored = json.loads((tmp_path / "logs/test/version_0/results.json").read_text())
    assert "BestCell" in json.dumps(stored["meta"]["verifier"])
    assert 0 <= stored["nearmiss"]["pairs"]["auroc"] <= 1


@pytest.mark.parametrize("model", ["DualEncoder", "SimilarityMapVerifier"])
def test_a_loss_trains_encoders_and_verifiers(compret: Run, tiny: Path, triplets: Path, model: str) -> None:
    loss = ("--model.loss", "my_loss.Hinge", "--model.loss.margin", 0.3)
    code, said = compret(
        *("fit", "--model", model, "--model.backbone", tiny, *loss, *ON_CPU, "--trainer.max_steps", 2),
        *("--data.files", f"[{triplets}]", "--data.batch_size", 8, "--data.workers", 0, "--data.validation", "null"),
    )
    assert code == 0, said


def test_a_suite_is_tested_and_reported(compret: Run, tiny: Path, tmp_path: Path) -> None:
    code, said = compret("test", "--data", "my_suite.Animals", "--model.backbone", tiny, *ON_CPU)
    assert code == 0, said
    stored = json.loads((tmp_path / "logs/test/version_0/results.json").read_text())
    accuracy = stored["odd_one_out"]["animals"]["accuracy"]
    assert stored["meta"]["counts"]["animals"] == {"triples": 2}
    code, said = compret("report", "logs/test")
    assert code == 0, said
    assert "odd one out" in said
    assert f"{accuracy:.3f}" in said
