"""CrossEncoder: scores of pairs read at once, the same in any batch; trained, tested, resumed and refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from compret.data.collate import Collate
from compret.evaluation.cross_scorer import CrossScorer
from compret.losses import Binary, Contrast, Loss, RankNet
from compret.nn.encoder import TextEncoder
from compret.tasks import CrossEncoder
from compret.types import UserError

Run = Callable[..., tuple[int, str]]
TEXTS = ["the dog bit the man", "the man bit the dog", "a cat", "the old house in the river is not small", "red bird"]


@pytest.fixture(scope="module")
def task(tiny: Path) -> CrossEncoder:
    torch.manual_seed(0)
    return CrossEncoder(str(tiny)).eval()


@torch.inference_mode()
def by_hand(task: CrossEncoder, a: str, b: str) -> float:
    """One pair, joined by the tokenizer itself and read alone."""
    encoder, head = task.encoder, task.cross.head
    joint = encoder.tokenizer.fast.backend_tokenizer.encode(a, b)
    ids, types = torch.tensor([joint.ids]), torch.tensor([joint.type_ids])
    states = task.cross.transformer(input_ids=ids, token_type_ids=types).last_hidden_state[0]
    first, second = (states[types[0] == side].mean(0) for side in (0, 1))
    vectors = [encoder(encoder.tokenizer.pad(encoder.tokenizer([text], "query").ids)).pooled_BD[0] for text in (a, b)]
    cosine = torch.cosine_similarity(*vectors, dim=0)
    features = torch.cat([states[0], (first - second).abs(), first * second])
    return float(head.mlp(features) + head.cosine_weight * cosine)


def test_a_pairs_score_is_the_mean_of_both_orders_whatever_is_beside_it(task: CrossEncoder) -> None:
    rows = [(a, b) for a in TEXTS for b in TEXTS]
    found = task.scorer().pairs([a for a, _ in rows], [b for _, b in rows]).scores_P
    expected = [(by_hand(task, a, b) + by_hand(task, b, a)) / 2 for a, b in rows]
    assert found == pytest.approx(expected, abs=1e-5)
    turned = task.scorer().pairs([b for _, b in rows], [a for a, _ in rows]).scores_P
    assert turned == pytest.approx(found, abs=1e-5)


def test_documents_are_scored_behind_queries_alone(task: CrossEncoder) -> None:
    pairs = np.array([(0, 1), (2, 0), (0, 0)])
    found = task.scorer().relevance(TEXTS[:3], TEXTS[3:], pairs).scores_P
    assert found == pytest.approx([by_hand(task, TEXTS[q], TEXTS[3 + d]) for q, d in pairs], abs=1e-5)


def test_the_cosine_that_counts_beside_it_is_added(task: CrossEncoder) -> None:
    plain, cosines = (
        CrossScorer(task.encoder, task.cross, recall_weight=weight).pairs(TEXTS[:2], TEXTS[1:3]).scores_P
        for weight in (0.0, 2.0)
    )
    left, right = (
        task.encoder(task.encoder.tokenizer.pad(task.encoder.tokenizer(texts, "query").ids)).pooled_BD
        for texts in (TEXTS[:2], TEXTS[1:3])
    )
    assert cosines - plain == pytest.approx((2 * torch.cosine_similarity(left, right)).tolist(), abs=1e-5)


ROWS: list[dict[str, Any]] = [
    {"anchor": TEXTS[0], "positive": TEXTS[2], "negative": TEXTS[1]},
    {"anchor": TEXTS[3], "positive": TEXTS[4], "negative": None},
    {"anchor": TEXTS[1], "positive": None, "negative": TEXTS[4], "category": "all"},
]


@pytest.mark.parametrize(
    "loss", [Binary(), RankNet(), Contrast(), Contrast(symmetric=True), Contrast(candidates="own")]
)
def test_losses_are_those_of_pairs_scored_one_by_one(task: CrossEncoder, loss: Loss) -> None:
    task.loss = loss
    batch = Collate(task.encoder.tokenizer, passes=2)(ROWS)

    def score(a: str, b: str) -> float:
        return by_hand(task, a, b)

    positives = [score(row["anchor"], row["positive"]) for row in ROWS[:2]]
    every = [[score(row["anchor"], c) for c in (TEXTS[2], TEXTS[4], TEXTS[1], TEXTS[4])] for row in ROWS[:2]]
    negatives = [score(TEXTS[0], TEXTS[1]), score(TEXTS[1], TEXTS[4])]
    found = task.batch_loss(batch).item()
    if isinstance(loss, Binary):
        parts = [np.log1p(np.exp(-p)) for p in positives] + [np.log1p(np.exp(n)) for n in negatives]
        assert found == pytest.approx(np.mean(parts), abs=1e-4)
    elif isinstance(loss, RankNet):
        assert found == pytest.approx(np.log1p(np.exp((negatives[0] - positives[0]) / loss.temperature)), abs=1e-4)
    elif loss == Contrast():  # row 1's positive is a negative's text, too: it is no negative of row 1
        kept = [[0, 1, 2, 3], [0, 1, 2]]
        parts = [
            np.log(sum(np.exp((row[c] - row[i]) / loss.temperature) for c in columns))
            for i, (row, columns) in enumerate(zip(every, kept, strict=True))
        ]
        assert found == pytest.approx(np.mean(parts), rel=1e-3)
    else:
        assert np.isfinite(found)


def test_training_reads_pairs_in_either_order_and_leaves_the_encoder_untouched(tiny: Path) -> None:
    torch.manual_seed(0)
    task = CrossEncoder(str(tiny), dropout=0.0)
    batch = Collate(task.encoder.tokenizer, passes=2)(ROWS)
    losses = {round(task.batch_loss(batch).item(), 6) for _ in range(20)}
    assert 1 < len(losses) <= 16  # two orders of each of four pairs
    task.batch_loss(batch).backward()
    assert all(p.grad is None for p in task.encoder.parameters())
    assert all(p.grad is not None for n, p in task.cross.named_parameters() if "pooler" not in n)


def test_what_is_frozen_stays_frozen_in_the_copy(tiny: Path) -> None:
    task = CrossEncoder(str(tiny), freeze=["embeddings", "encoder.layer.0"])
    trained = {name for name, p in task.cross.transformer.named_parameters() if p.requires_grad}
    assert trained
    assert not any(name.startswith(("embeddings", "encoder.layer.0.")) for name in trained)


def test_two_texts_must_fit_into_one_sequence(new_backbone: Callable[..., Path], tmp_path: Path) -> None:
    folder = new_backbone(tmp_path / "short")
    with pytest.raises(UserError, match="max_length 40: two texts are up to 79 tokens, .* takes 64; lower .* by 8"):
        CrossEncoder(str(folder), max_length=40)
    CrossEncoder(str(folder), max_length=32)


def test_it_is_fitted_tested_and_loaded_again(
    compret: Run, tiny: Path, triplets: Path, pairs: Path, beir: Path, tmp_path: Path
) -> None:
    labelled = tmp_path / "labelled.jsonl"
    rows = [json.loads(line) for line in pairs.read_text().splitlines()]
    labelled.write_text("".join(json.dumps(row) + "\n" for row in rows))
    model = ("--model", "CrossEncoder", "--model.backbone", tiny, "--model.max_length", 32)
    quiet = ("--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false", "--trainer.logger", "false")
    data = ("--data.files", f"[{triplets},{labelled}]", "--data.batch_size", 8, "--data.leakage", "ignore")
    val = ("--data.validation", json.dumps([{"class_path": "NearMissPairs", "init_args": {"files": [str(pairs)]}}]))
    code, said = compret("fit", *model, *quiet[:4], *data, *val, "--trainer.max_steps", 4, "--name", "ce")
    assert code == 0, said
    assert "no export: compret test takes the checkpoint of a CrossEncoder" in said
    assert "threshold " in said
    checkpoint = tmp_path / "checkpoints" / "ce" / "version_0" / "last.ckpt"
    stored = torch.load(checkpoint, weights_only=True)
    assert not any(name.startswith("encoder.") for name in stored["state_dict"])
    suites = [{"class_path": "NearMissPairs", "init_args": {"files": [str(pairs)]}},
              {"class_path": "NanoBEIR", "init_args": {"source": str(beir)}}]  # fmt: skip
    tested = ("--data", "Suites", "--data.suites", json.dumps(suites))
    code, said = compret("test", "--ckpt_path", checkpoint, *quiet[:4], "--name", "t", *tested)
    assert code == 0, said
    results = json.loads((tmp_path / "logs" / "t" / "version_0" / "results.json").read_text())
    assert results["meta"]["verifier"]["class_path"].endswith("CrossTransformer")
    assert all("recall_stage" in of_set for of_set in results["retrieval"].values())
    loaded = CrossEncoder(str(tiny), max_length=32)
    loaded.on_load_checkpoint(stored)
    loaded.load_state_dict(stored["state_dict"])
    assert loaded.calibration is not None
    rows = [row for row in rows if row["label"] is not None]
    scores = loaded.eval().scorer().pairs([r["anchor"] for r in rows], [r["candidate"] for r in rows]).scores_P
    lines = (tmp_path / "logs" / "t" / "version_0" / "scores" / f"{pairs.stem}.jsonl").read_text().splitlines()
    assert [json.loads(line)["score"] for line in lines] == pytest.approx(scores.tolist(), abs=1e-5)


def test_a_threshold_of_other_scores_is_not_taken(tiny: Path, caplog: pytest.LogCaptureFixture) -> None:
    from compret.metrics.calibration import Calibration

    fitted = CrossEncoder(str(tiny), max_length=32)
    fitted.calibration = Calibration(0.1, 0.05, 1.0, 0.0, 0.9)
    checkpoint: dict[str, Any] = {"state_dict": fitted.state_dict()}
    fitted.on_save_checkpoint(checkpoint)
    other = CrossEncoder(str(tiny), max_length=32, recall_weight=2.0)
    other.on_load_checkpoint(checkpoint)
    assert other.calibration is None
    assert "recall_weight changed" in caplog.text


def test_the_encoder_is_the_untouched_one(task: CrossEncoder, tiny: Path) -> None:
    untouched = TextEncoder(str(tiny)).state_dict()
    assert all(torch.equal(tensor, untouched[name]) for name, tensor in task.encoder.state_dict().items())
