"""docs/extend.md: each of its files, put beside the working directory, does what the page says."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Dense, Pooling, Transformer
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
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in FILES:
        sys.modules.pop(name, None)


def test_the_page_has_the_four() -> None:
    assert set(FILES) == {"my_verifier", "my_loss", "my_suite", "my_rule"}


def test_a_verifier_is_its_formula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
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


def test_a_rule_edits_texts(compret: Run, tmp_path: Path) -> None:
    pytest.importorskip("spacy", reason="needs the extra `perturb`")
    texts = ["The house by the river is very old.", "The dog bit the man."]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    asked = ("perturb", "texts.jsonl", "--out", "pairs.jsonl", "--paraphrases", "")
    code, said = compret(*asked, "--categories", "my_rule.Emphasis")
    assert code == 0, said
    rows = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    edited = {"anchor": texts[0], "candidate": "The house by the river is hardly old."}
    assert rows == [{**edited, "label": 0, "category": "emphasis"}]
    assert "no word that emphasises" in said


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("my_rule.Emphases", "my_rule.Emphases: no such class"),
        ("no_rule.Emphasis", "no_rule.Emphasis: no such class"),
        ("my_suite.Animals", "my_suite.Animals: it has no category"),
    ],
)
def test_what_is_no_rule_is_told(compret: Run, tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "texts.jsonl").write_text('{"text": "The dog bit the man."}\n')
    code, said = compret("perturb", "texts.jsonl", "--out", "pairs.jsonl", "--categories", name)
    assert code == 2
    assert f"compret: {told}" in said


def with_dense_head(folder: Path) -> Dense:
    """A sentence-transformers folder is given a Dense module behind its pooling."""
    torch.manual_seed(0)
    head = Dense(32, 12, activation_function=torch.nn.Tanh())
    (folder / "2_Dense").mkdir()
    head.save(str(folder / "2_Dense"))
    modules = json.loads((folder / "modules.json").read_text())[:2]
    dense = {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}
    (folder / "modules.json").write_text(json.dumps([*modules, dense]))
    return head


def test_a_backbone_is_options_alone(
    compret: Run, tiny: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A revision, a Dense head, last-token pooling, a prompt and a length: the scores of sentence-transformers."""
    folder = shutil.copytree(tiny, tmp_path / "0123abcd")
    head = with_dense_head(folder)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda repo, revision, allow_patterns: str(folder))
    code, said = compret(
        *("test", "--model.backbone", "owner/name@v1", "--model.pooling", "lasttoken", "--model.max_length", 16),
        *("--model.query_prompt", "the very ", "--data", "NearMissPairs", "--data.files", f"[{pairs}]", *ON_CPU),
    )
    assert code == 0, said
    run = tmp_path / "logs/test/version_0"
    meta = json.loads((run / "results.json").read_text())["meta"]
    assert (meta["revision"], meta["pooling"], meta["max_length"]) == ("0123abcd", "lasttoken", 16)
    modules = [Transformer(str(tiny)), Pooling(32, pooling_mode="lasttoken"), head]
    peer = SentenceTransformer(modules=modules, device="cpu")
    peer.max_seq_length = 16
    rows = [json.loads(line) for line in (run / "scores/pairs.jsonl").read_text().splitlines()]
    left, right = (
        peer.encode([row[role] for row in rows], prompt="the very ", normalize_embeddings=True, show_progress_bar=False)
        for role in ("anchor", "candidate")
    )
    np.testing.assert_allclose([row["score"] for row in rows], (left * right).sum(1), atol=1e-5)
