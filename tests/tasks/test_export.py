"""An export is tested and validated as a whole where a checkpoint is; as a backbone its verifier is left out, told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from compret.evaluation.cosine_scorer import CosineScorer
from compret.evaluation.encode import encode
from compret.evaluation.guard_files import save_verifier
from compret.evaluation.retriever import TwoStageRetriever
from compret.evaluation.verifier_scorer import Recall
from compret.metrics.calibration import Calibration
from compret.nn.encoder import TextEncoder
from compret.nn.verifiers import MapTransformer, Residual

Run = Callable[..., tuple[int, str]]
QUIET = ("--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu")


@pytest.fixture
def moved(tiny: Path) -> TextEncoder:
    """An encoder whose weights no backbone has."""
    encoder = TextEncoder(str(tiny)).eval()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.01)
    return encoder


@pytest.fixture(params=["", "recall"])
def export(request: pytest.FixtureRequest, tmp_path: Path, tiny_encoder: TextEncoder, moved: TextEncoder) -> Path:
    """An encoder and a verifier with their calibration; in one, another encoder recalls and counts."""
    torch.manual_seed(0)
    verifier = Residual(MapTransformer(16, 1, 2, 32, max_length=32))
    recall = Recall(tiny_encoder, 3.0) if request.param else Recall()
    moved.save(tmp_path / "export")
    save_verifier(tmp_path / "export", verifier, False, Calibration(0.25, 0.05, 2.0, 0.5), recall)
    return tmp_path / "export"


def results(tmp_path: Path, name: str) -> tuple[dict[str, Any], Path]:
    (folder,) = sorted((tmp_path / "logs" / name).iterdir())[-1:]
    return json.loads((folder / "results.json").read_text()), folder


def test_an_export_is_tested_with_its_verifier(
    compret: Run, export: Path, pairs: Path, beir: Path, tmp_path: Path
) -> None:
    guard = TwoStageRetriever.from_pretrained(export)
    config = ("--config", "nearmiss.yaml", "--data.files", f"[{pairs}]", "--model.max_length", "32")
    code, said = compret("test", *config, "--ckpt_path", export, *QUIET)
    assert code == 0, said
    assert "encoder alone" not in said
    found, folder = results(tmp_path, "nearmiss")
    assert found["meta"]["checkpoint"] == str(export)
    assert found["nearmiss"]["pairs"]["threshold"] == 0.25
    for line in (folder / "scores" / "pairs.jsonl").read_text().splitlines()[:10]:
        pair = json.loads(line)
        assert guard.same(pair["anchor"], pair["candidate"]).score == pytest.approx(pair["score"], abs=2e-3)
    sets = ("--data.source", beir, "--data.datasets", "[park]", "--model.max_length", "32")
    code, said = compret("validate", "--config", "nanobeir.yaml", *sets, "--ckpt_path", export, *QUIET)
    assert code == 0, said


def test_an_encoders_export_is_tested_too(compret: Run, moved: TextEncoder, pairs: Path, tmp_path: Path) -> None:
    moved.save(tmp_path / "export")
    config = ("--config", "nearmiss.yaml", "--data.files", f"[{pairs}]", "--model.max_length", "32")
    code, said = compret("test", *config, "--ckpt_path", tmp_path / "export", *QUIET)
    assert code == 0, said
    scored = [
        json.loads(line) for line in (results(tmp_path, "nearmiss")[1] / "scores/pairs.jsonl").read_text().splitlines()
    ]
    anchors, candidates = ([pair[key] for pair in scored] for key in ("anchor", "candidate"))
    expected = CosineScorer(moved).pairs(anchors, candidates).scores_P
    assert [pair["score"] for pair in scored] == pytest.approx(expected.tolist(), abs=1e-4)


def test_an_export_as_a_backbone_says_what_it_leaves_out(compret: Run, export: Path, pairs: Path) -> None:
    config = ("--config", "nearmiss.yaml", "--data.files", f"[{pairs}]", "--model.max_length", "32")
    code, said = compret("test", *config, "--model.backbone", export, *QUIET)
    assert code == 0, said
    assert f"{export}: an export of which the backbone is the encoder alone" in said
    assert "give it as --ckpt_path in place of --model.backbone" in said


def test_training_does_not_go_on_from_an_export(compret: Run, export: Path, triplets: Path) -> None:
    code, said = compret("fit", "--data.files", f"[{triplets}]", "--ckpt_path", export, *QUIET)
    assert code == 2
    assert f"{export}: an export, and training cannot go on from it; give last.ckpt, or start anew" in said


def test_another_backbone_than_the_exports_is_refused(compret: Run, export: Path, tiny: Path, pairs: Path) -> None:
    config = ("--config", "nearmiss.yaml", "--data.files", f"[{pairs}]", "--model.max_length", "32")
    code, said = compret("test", *config, "--model.backbone", tiny, "--ckpt_path", export, *QUIET)
    assert code == 2
    assert "the checkpoint's verifier was trained on" in said


@pytest.mark.parametrize("named", ["subprocess.Popen", "beside.Evil"])
def test_an_export_runs_nothing_from_the_command_line(
    compret: Run, export: Path, pairs: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "beside.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')\nclass Evil: ...\n")
    settings = json.loads((export / "verifier.json").read_text())
    settings["verifier"] = {"class_path": named, "init_args": {"args": ["touch", str(tmp_path / "canary")]}}
    (export / "verifier.json").write_text(json.dumps(settings))
    code, said = compret("test", "--config", "nearmiss.yaml", "--data.files", f"[{pairs}]", "--ckpt_path", export)
    assert code == 2
    assert [line for line in said.splitlines() if "is no verifier of compret" in line]
    assert not (tmp_path / "canary").exists()


def test_an_export_cuts_texts_where_its_encoder_did(tiny: Path, tmp_path: Path, sentences: list[str]) -> None:
    encoder = TextEncoder(str(tiny), max_length=7)
    encoder.save(tmp_path / "export")
    exported = TextEncoder(str(tmp_path / "export"))
    assert exported.max_length == 7
    for mine, theirs in zip(
        encoder.tokenizer(sentences, "query").ids, exported.tokenizer(sentences, "query").ids, strict=True
    ):
        assert mine.tolist() == theirs.tolist()
    torch.testing.assert_close(
        encode(encoder, sentences, "query").unit_ND, encode(exported, sentences, "query").unit_ND
    )
