"""What a test run's results.json says of the model, and what its log says of a set."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str]]
SOFT = [
    *("--model", "SimilarityMapVerifier", "--model.verifier", "SoftAlignment", "--model.verifier.distance", 0.2),
    *("--model.special_tokens", "false"),
]
DESCRIBED = {
    "class_path": "compret.nn.verifiers.soft_alignment.SoftAlignment",
    "init_args": {"distance": 0.2, "temperature": 0.1, "band": None, "monotone": 0.0},
}


@pytest.mark.parametrize(
    ("model", "verifier", "special_tokens"), [(SOFT, DESCRIBED, False), ([], None, None)], ids=["verifier", "encoder"]
)
def test_results_name_the_verifier_and_the_log_both_baselines(
    compret: Run,
    tiny: Path,
    pairs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: list[object],
    verifier: object,
    special_tokens: object,
) -> None:
    quiet = ["--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]
    data = ["--data", "NearMissPairs", "--data.files", f"[{pairs}]"]
    asked: list[str] = []
    monkeypatch.setattr("torch.set_float32_matmul_precision", asked.append)
    settings = ["--seed_everything", 7, "--matmul_precision", "high"]
    code, said = compret("test", *model, "--model.backbone", tiny, *data, *quiet, *settings)
    assert code == 0, said
    assert asked == ["high"]
    stored = json.loads((tmp_path / "logs" / "test" / "version_0" / "results.json").read_text())
    assert (stored["meta"]["verifier"], stored["meta"]["special_tokens"]) == (verifier, special_tokens)
    facts = {"seed": 7, "device": "cpu", "precision": "32-true", "world_size": 1, "checkpoint": None}
    assert {name: stored["meta"][name] for name in facts} == facts
    found = stored["nearmiss"]["pairs"]
    assert f"of word overlap {found['overlap_auroc']:.4f}, of edited words {found['edit_words_auroc']:.4f}" in said
    assert all("edit_words_auroc" in row for row in found["categories"].values())
