"""Every precision of Lightning's fits and tests, or says in one line why it does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str]]
QUIET = ("--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false", "--model.max_length", 32)


@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true", "64-true"])
def test_an_encoder_fits_and_is_tested(
    compret: Run, tiny: Path, triplets: Path, beir: Path, tmp_path: Path, precision: str
) -> None:
    suites = json.dumps([{"class_path": "NanoBEIR", "init_args": {"source": str(beir)}}])
    data = ("--data.files", f"[{triplets}]", "--data.batch_size", 8, "--data.workers", 0, "--data.validation", suites)
    options = ("--model.backbone", tiny, "--trainer.precision", precision, *QUIET)
    code, said = compret("fit", *options, *data, "--trainer.max_steps", 2, "--trainer.val_check_interval", 2)
    assert code == 0, said
    code, said = compret("test", *options, "--data.source", beir, "--ckpt_path", next(tmp_path.rglob("last.ckpt")))
    assert code == 0, said
    found = json.loads(next(tmp_path.glob("logs/test/*/results.json")).read_text())["retrieval"]
    assert 0 < found["zoo"]["ndcg@10"] <= 1


def test_a_verifier_asks_for_mixed_precision(compret: Run, tiny: Path, beir: Path) -> None:
    model = ("--model", "SimilarityMapVerifier", "--model.verifier", "MapTransformer", "--model.backbone", tiny)
    for precision, expected in (("bf16-true", 2), ("bf16-mixed", 0)):
        code, said = compret("test", *model, *QUIET, "--data.source", beir, "--trainer.precision", precision)
        assert code == expected, said
        assert ("verifiers score in float32; use bf16-mixed" in said) == (code == 2)
