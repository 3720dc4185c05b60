"""NevIR from file to results.json: each query against both documents, with their prompts, by cosine or a verifier."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from compret.data import NevIR
from compret.evaluation.bench import Bench
from compret.evaluation.cosine_scorer import CosineScorer
from compret.evaluation.results import Results
from compret.evaluation.verifier_scorer import Recall, VerifierScorer
from compret.metrics.nevir import paired_accuracy
from compret.nn.encoder import TextEncoder
from compret.nn.verifiers import MaxSim, Verifier
from compret.types import Kind, UserError
from tests.conftest import write_lines

ROWS = [
    {
        "id": f"{i}-{animal}",
        "WorkerId": 3,
        "q1": f"who saw the {animal}",
        "q2": f"who never saw the {animal} in all",
        "doc1": f"the {size} man saw a {animal}",
        "doc2": f"the {size} man never saw a {animal} before",
    }
    for i, animal in enumerate(["dog", "cat", "bird"])
    for size in ["small", "very old and very large"]
]


@pytest.fixture
def prompted(new_backbone: Callable[..., Path], tmp_path: Path) -> TextEncoder:
    folder = new_backbone(tmp_path / "prompted", prompts={"query": "not a ", "document": "very small "})
    return TextEncoder(str(folder)).eval()


def vectors(encoder: TextEncoder, text: str, kind: Kind) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit token states and unit pooled vector of one text, encoded alone."""
    with torch.inference_mode():
        encoded = encoder(encoder.tokenizer.pad(encoder.tokenizer([text], kind).ids))
    return F.normalize(encoded.tokens_BMD[0], dim=1), F.normalize(encoded.pooled_BD[0], dim=0)


@pytest.mark.parametrize(("verifier", "weight"), [(None, 0.0), (MaxSim(), 0.0), (MaxSim(), 0.5)])
def test_scores_are_those_of_pairs_scored_one_by_one(
    prompted: TextEncoder, tmp_path: Path, verifier: Verifier | None, weight: float
) -> None:
    data = NevIR(str(write_lines(tmp_path / "nevir_dev.jsonl", ROWS))).load(0)
    recall = Recall(weight=weight)
    found = data.evaluate(VerifierScorer(prompted, verifier, recall=recall) if verifier else CosineScorer(prompted))
    expected = np.zeros((len(ROWS), 2, 2))
    for p, row in enumerate(ROWS):
        for i, query in enumerate(("q1", "q2")):
            for j, document in enumerate(("doc1", "doc2")):
                q, d = vectors(prompted, str(row[query]), "query"), vectors(prompted, str(row[document]), "document")
                cosine, match = float(q[1] @ d[1]), float((q[0] @ d[0].T).amax(1).mean())
                expected[p, i, j] = cosine if verifier is None else match + weight * cosine
    assert found.scores_P22 == pytest.approx(expected, abs=2e-3 if verifier else 1e-5)
    assert found.metrics["paired_accuracy"] == paired_accuracy(found.scores_P22)
    assert found.name == "nevir_dev"


def test_results_are_written_and_read(tiny_encoder: TextEncoder, tmp_path: Path) -> None:
    bench = Bench(CosineScorer(tiny_encoder))
    bench.run(NevIR(str(write_lines(tmp_path / "nevir.jsonl", ROWS))).load(0))
    results, accuracy = bench.results({}), bench.found[0].metrics["paired_accuracy"]
    results.write(tmp_path / "run")
    stored = json.loads((tmp_path / "run" / "results.json").read_text())
    assert stored["nevir"] == {"nevir": {"paired_accuracy": accuracy}}
    assert stored["meta"]["counts"]["nevir"]["pairs"] == len(ROWS)
    read = Results.read(tmp_path / "run")
    assert read.recomputed().to_dict() == stored
    assert read.all[0].data.queries == bench.found[0].data.queries
    assert results.flat()["nevir_cosine_paired_accuracy"] == accuracy == results.headline()
    scores = tmp_path / "run" / "scores" / "nevir.jsonl"
    scores.write_text('{"queries": ["a"], "documents": 3, "scores": []}\n')
    with pytest.raises(UserError, match="nevir.jsonl: not as compret writes it"):
        Results.read(tmp_path / "run")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"q1": "a", "q2": "b", "doc1": "c"}, "line 1: no column 'doc2'"),
        ({"q1": "a", "q2": "b", "doc1": "c", "doc2": " "}, "line 1, column 'doc2' is empty"),
        ({"q1": "a", "q2": "b", "doc1": "c", "doc2": ["d"]}, "line 1: column 'doc2' holds a list, not text"),
    ],
)
def test_a_wrong_row_is_told(tmp_path: Path, row: dict[str, object], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        NevIR(str(write_lines(tmp_path / "a.jsonl", [row]))).load(0)


def test_the_hub_is_asked_for_the_split_and_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets import Dataset

    asked = []

    def load_dataset(*arguments: object, **options: object) -> Dataset:
        asked.append((arguments, options))
        return Dataset.from_list(ROWS)

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    found = NevIR("orionweller/NevIR@abc", "validation").load(0)
    assert asked == [(("orionweller/NevIR", None), {"split": "validation", "revision": "abc"})]
    assert (found.name, len(found.queries)) == ("NevIR", len(ROWS))
    assert found.origin == {"orionweller/NevIR": {"revision": "abc"}}
    assert NevIR().names() == ["NevIR"]


def test_the_shipped_config_runs(compret: Callable[..., tuple[int, str]], tiny: Path, tmp_path: Path) -> None:
    write_lines(tmp_path / "mine.jsonl", ROWS)
    code, said = compret(
        "test", "--config", "nevir.yaml", "--model.backbone", tiny, "--model.max_length", 32,
        "--data.source", "mine.jsonl", "--trainer.accelerator", "cpu",
    )  # fmt: skip
    assert code == 0, said
    assert "mine: paired accuracy" in said
    stored = json.loads((tmp_path / "logs" / "nevir" / "version_0" / "results.json").read_text())
    assert set(stored["nevir"]["mine"]) == {"paired_accuracy"}
