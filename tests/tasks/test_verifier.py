"""SimilarityMapVerifier: what a step computes, what frozen training encodes, and what a fit leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch.nn import functional as F

from compret.data.collate import Collate
from compret.evaluation.near_miss import NearMissSet
from compret.evaluation.retriever import TwoStageRetriever
from compret.evaluation.verifier_scorer import VerifierScorer
from compret.losses import Binary, Contrast, Loss, RankNet
from compret.metrics.calibration import Calibration, calibrate
from compret.nn.encoder import TextEncoder
from compret.nn.pair_scoring import joined
from compret.nn.verifiers import ConditionalPenalty, MapTransformer, MaxSim, Residual
from compret.tasks import AdamW, SimilarityMapVerifier
from compret.types import UserError
from tests.tasks.batches import batch_of

TRANSFORMER = '{"class_path": "MapTransformer", "init_args": {"width": 16, "layers": 1, "heads": 2, "max_length": 32}}'


def maxsim(encoder: TextEncoder, a: str, c: str) -> torch.Tensor:
    """One pair, encoded alone."""
    ids = [encoder.tokenizer([text], kind).ids for text, kind in ((a, "query"), (c, "document"))]  # type: ignore[arg-type]
    left, right = (F.normalize(encoder(encoder.tokenizer.pad(i)).tokens_BMD[0], dim=1) for i in ids)
    return (left @ right.T).amax(1).mean()


@pytest.mark.parametrize("kind", ["all", "own", "symmetric", "ranknet", "binary"])
def test_losses_are_those_of_pairs_scored_one_by_one(tiny: Path, rows: list[dict[str, Any]], kind: str) -> None:
    losses = {
        "all": Contrast(),
        "own": Contrast(candidates="own"),
        "symmetric": Contrast(symmetric=True),
        "ranknet": RankNet(),
        "binary": Binary(0.1, 0.5),
    }
    task = SimilarityMapVerifier(MaxSim(), str(tiny), loss=losses[kind]).eval()

    def score(a: str, c: str) -> torch.Tensor:
        return maxsim(task.encoder, a, c)

    parts = []
    negatives = [row["negative"] for row in rows if row["negative"]]
    for i, row in enumerate(rows):
        positive = score(row["anchor"], row["positive"])
        own = [score(row["anchor"], row["negative"])] if row["negative"] else []
        if kind in ("all", "own", "symmetric"):
            others = own if kind == "own" else [score(row["anchor"], n) for n in negatives]
            logits = torch.stack([*(score(row["anchor"], r["positive"]) for r in rows), *others]) / 0.1
            parts.append(F.cross_entropy(logits, torch.tensor(i)))
            if kind == "symmetric":
                reverse = torch.stack([score(row["positive"], r["anchor"]) for r in rows]) / 0.1
                parts.append(F.cross_entropy(reverse, torch.tensor(i)))
        elif kind == "ranknet":
            parts += [-torch.stack([positive, n]).div(0.1).log_softmax(0)[0] for n in own]
        else:
            parts += [-F.logsigmoid((positive - 0.5) / 0.1), *(-F.logsigmoid((0.5 - n) / 0.1) for n in own)]
    loss, retained = task.losses(batch_of(task, rows))
    torch.testing.assert_close(loss, torch.stack(parts).mean(), rtol=1e-5, atol=1e-5)
    assert float(retained) == 0


def test_a_budget_changes_no_loss(tiny: Path, rows: list[dict[str, Any]]) -> None:
    torch.manual_seed(0)
    verifier = MapTransformer(16, 1, 2, 32, max_length=32)
    tasks = [SimilarityMapVerifier(verifier, str(tiny), budget=budget).eval() for budget in (1, 1 << 26)]
    losses = [task.losses(batch_of(task, rows))[0] for task in tasks]
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-5, atol=1e-5)


def test_special_tokens_can_be_left_out(tiny: Path) -> None:
    task = SimilarityMapVerifier(MaxSim(), str(tiny), special_tokens=False).eval()
    tokens = task.encoder.tokenizer.pad(task.encoder.tokenizer(["the dog bit", ""], "query").ids)
    assert task._spans(tokens) == [(1, 4), (0, 2)]


def test_retention_is_zero_until_the_encoder_moves(tiny: Path, rows: list[dict[str, Any]]) -> None:
    task = SimilarityMapVerifier(MaxSim(), str(tiny), retention=2.0).eval()
    batch = batch_of(task, rows)
    assert float(task.losses(batch)[1].detach()) == pytest.approx(0, abs=1e-6)
    with torch.no_grad():
        for parameter in task.encoder.parameters():
            parameter.mul_(1.1).add_(0.02)
    assert 0 < float(task.losses(batch)[1].detach()) <= 4
    assert not any("untouched" in name for name in task.state_dict())


def test_encoder_and_verifier_have_their_own_rates(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verifier, settings = MapTransformer(16, 1, 2, 32, max_length=32), (AdamW(1e-5, 0.1), AdamW(1e-3, 0.2))
    task = SimilarityMapVerifier(verifier, str(tiny), optimizer=settings[0], verifier_optimizer=settings[1])
    monkeypatch.setattr(Trainer, "estimated_stepping_batches", 10)
    task.trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    groups = task.configure_optimizers()["optimizer"].param_groups
    assert [(g["initial_lr"], g["weight_decay"]) for g in groups] == [(1e-5, 0.1), (1e-5, 0), (1e-3, 0.2), (1e-3, 0)]


@pytest.mark.parametrize(("frozen", "recalls"), [("true", False), ("false", False), ("false", True)])
def test_fit_test_and_python_agree(
    compret: Callable[..., tuple[int, str]],
    tiny: Path,
    triplets: Path,
    beir: Path,
    pairs: Path,
    tmp_path: Path,
    new_backbone: Callable[..., Path],
    frozen: str,
    recalls: bool,
) -> None:
    other = new_backbone(tmp_path / "other", "cls")
    recall = ["--model.recall", other, "--model.recall_weight", "0.5"] if recalls else []
    quiet = ["--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]
    suites = json.dumps([{"class_path": "NearMissPairs", "init_args": {"files": [str(pairs)]}}])
    code, said = compret(
        *("fit", "--model", "SimilarityMapVerifier", "--model.verifier", TRANSFORMER, "--model.backbone", tiny),
        *("--model.frozen", frozen, "--model.special_tokens", "false" if frozen == "true" else "true"),
        *("--data.files", f"[{triplets}]", "--data.batch_size", "8", "--data.workers", "0"),
        *("--data.validation", suites, "--trainer.max_steps", "4", *quiet, "--trainer.val_check_interval", "2"),
        *recall,
    )
    assert code == 0, said
    folder = tmp_path / "checkpoints" / "fit" / "version_0"
    code, said = compret("test", "--config", "nanobeir.yaml", "--data.source", beir, "--data.datasets", "[park]",
                         "--model.max_length", "32", "--ckpt_path", folder / "last.ckpt", *quiet)  # fmt: skip
    assert code == 0, said
    results = json.loads((tmp_path / "logs" / "nanobeir" / "version_0" / "results.json").read_text())
    assert results["retrieval"]["park"]["recall_stage"]["ndcg@10"] > 0
    assert results["meta"]["recall"]["backbone"] == str(other if recalls else tiny)

    retriever = TwoStageRetriever.from_pretrained(folder / "export")
    corpus = [json.loads(line) for line in (beir / "park" / "corpus.jsonl").read_text().splitlines()]
    queries = [json.loads(line) for line in (beir / "park" / "queries.jsonl").read_text().splitlines()]
    run = [line.split() for line in (tmp_path / "logs/nanobeir/version_0/runs/park.trec").read_text().splitlines()]
    hits = retriever.index([row["text"] for row in corpus]).search([queries[0]["text"]], 5)[0]
    expected = [(row[2], float(row[4])) for row in run if row[0] == queries[0]["_id"]][:5]
    assert [hit.score for hit in hits] == pytest.approx([score for _, score in expected], abs=1e-3)
    code, said = compret("test", "--config", "nearmiss.yaml", "--data.files", f"[{pairs}]",
                         "--model.max_length", "32", "--ckpt_path", folder / "last.ckpt", *quiet)  # fmt: skip
    assert code == 0, said
    scored = (tmp_path / "logs/nearmiss/version_0/scores/pairs.jsonl").read_text().splitlines()
    pair = json.loads(scored[0])
    assert retriever.same(pair["anchor"], pair["candidate"]).score == pytest.approx(pair["score"], abs=1e-3)
    metrics = json.loads((tmp_path / "logs/nearmiss/version_0/results.json").read_text())["nearmiss"]["pairs"]
    assert metrics["threshold"] == retriever.calibration.threshold  # type: ignore[union-attr]
    verdict = retriever.same("the dog bit the man", "the man bit the dog")
    assert verdict.accept == (verdict.score >= retriever.calibration.threshold)  # type: ignore[union-attr]
    assert 0 < verdict.probability < 1


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, ""),
        ({"max_length": 32, "document_prompt": "d: "}, ""),
        ({"recall_weight": 20.0}, "recall_weight changed"),
        ({"special_tokens": False}, "special_tokens changed"),
        ({"max_length": 9}, "max_length changed"),
        ({"pooling": "cls", "query_prompt": "q: "}, "pooling, query_prompt changed"),
    ],
)
def test_a_threshold_of_other_scores_is_left_behind(
    tiny: Path, caplog: pytest.LogCaptureFixture, changed: dict[str, Any], told: str
) -> None:
    fitted = SimilarityMapVerifier(MaxSim(), str(tiny))
    fitted.calibration = Calibration(0.5, 0.05, 1.0, 0.0)
    checkpoint: dict[str, Any] = {"state_dict": fitted.state_dict()}
    fitted.on_save_checkpoint(checkpoint)
    other = SimilarityMapVerifier(MaxSim(), str(tiny), **changed)
    other.on_load_checkpoint(checkpoint)
    assert other.calibration == (None if told else fitted.calibration)
    assert told in caplog.text
    assert bool(caplog.text) == bool(told)


@pytest.mark.parametrize("every", [3, 100])
def test_the_exported_threshold_is_that_of_the_exported_weights(
    compret: Callable[..., tuple[int, str]], tiny: Path, triplets: Path, pairs: Path, tmp_path: Path, every: int
) -> None:
    """Validation at step 3 of 5, or never: the weights go on, and so must the threshold; best.ckpt has its own."""
    suites = json.dumps([{"class_path": "NearMissPairs", "init_args": {"files": [str(pairs)]}}])
    code, said = compret(
        *("fit", "--model", "SimilarityMapVerifier", "--model.verifier", TRANSFORMER, "--model.backbone", tiny),
        *("--model.verifier_optimizer.lr", "0.1", "--data.files", f"[{triplets}]", "--data.batch_size", "8"),
        *("--model.false_accept_rate", "0.3"),
        *("--data.validation", suites, "--trainer.max_steps", "5", "--trainer.val_check_interval", every),
        *("--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false", "--data.holdout", "0"),
        *(["--trainer.check_val_every_n_epoch", "null"] if every > 5 else []),
    )
    assert code == 0, said
    assert "threshold" in said
    folder = tmp_path / "checkpoints" / "fit" / "version_0"
    rows = [json.loads(line) for line in pairs.read_text().splitlines()]
    data = NearMissSet("pairs", *([row[c] for row in rows] for c in ("anchor", "candidate", "label", "category")), "")
    thresholds = []
    for name in ("last.ckpt", *(["best.ckpt"] if every < 5 else [])):
        checkpoint = torch.load(folder / name, weights_only=True)
        task = SimilarityMapVerifier(MapTransformer(16, 1, 2, max_length=32), str(tiny)).eval()
        task.load_state_dict(checkpoint["state_dict"])
        scores_P = data.evaluate(VerifierScorer(task.encoder, task.verifier)).scores_P
        expected = calibrate(scores_P, data.labels, 0.3)
        assert expected is not None
        assert checkpoint["compret"]["calibration"]["threshold"] == pytest.approx(expected.threshold, abs=1e-4)
        thresholds.append(expected.threshold)
    exported = TwoStageRetriever.from_pretrained(folder / "export").calibration
    assert exported is not None
    assert exported.threshold == pytest.approx(thresholds[0], abs=1e-4)
    assert len({round(t, 3) for t in thresholds}) == len(thresholds)


@pytest.mark.parametrize("special_tokens", [True, False])
def test_special_tokens_are_kept_or_left_out_in_testing_too(tiny: Path, special_tokens: bool) -> None:
    task = SimilarityMapVerifier(MaxSim(), str(tiny), special_tokens=special_tokens).eval()
    ids = [task.encoder.tokenizer([text], "query").ids for text in ("the dog bit the man", "no cat")]
    states = [F.normalize(task.encoder(task.encoder.tokenizer.pad(i)).tokens_BMD[0], dim=1) for i in ids]
    left, right = states if special_tokens else (x[1:-1] for x in states)
    forward, backward = ((a @ b.T).amax(1).mean().item() for a, b in ((left, right), (right, left)))
    assert abs(forward - backward) > 1e-2
    found = task.scorer().pairs(["the dog bit the man"], ["no cat"]).scores_P[0]
    # token states are kept in half precision
    assert found == pytest.approx((forward + backward) / 2, abs=3e-4)


def test_an_anchor_is_no_negative_of_itself(tiny: Path) -> None:
    """(a, b) and (b, c) in one batch: b, the first row's positive, is the second row's anchor and not its negative."""
    rows = [{"anchor": "the dog", "positive": "a man", "negative": "no cat"}, {"anchor": "a man", "positive": "a bird"}]
    task = SimilarityMapVerifier(MaxSim(), str(tiny)).eval()
    batch = batch_of(task, rows)
    states = joined([task._states(tokens) for tokens in batch.passes])[batch.places]
    assert task.scores(batch, states).duplicates_BC.tolist() == [[True, False, False], [True, True, False]]


def test_encoder_and_verifier_are_clipped_apart(tiny: Path) -> None:
    task = SimilarityMapVerifier(MapTransformer(16, 1, 2, 32, max_length=32), str(tiny))
    task.trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
    for parameter in task.parameters():
        parameter.grad = torch.ones_like(parameter) if parameter.requires_grad else None
    task.configure_gradient_clipping(None, 2.0, "norm")
    for part in (task.encoder, task.verifier):
        gradients = [p.grad.norm() for p in part.parameters() if p.grad is not None]
        assert torch.stack(gradients).norm().item() == pytest.approx(2.0, rel=1e-4)


def test_retention_is_the_mean_over_texts(tiny: Path, rows: list[dict[str, Any]]) -> None:
    task = SimilarityMapVerifier(MaxSim(), str(tiny), retention=3.0).eval()
    untouched = SimilarityMapVerifier(MaxSim(), str(tiny)).eval()
    with torch.no_grad():
        for parameter in task.encoder.parameters():
            parameter.add_(torch.linspace(-0.1, 0.1, parameter.numel()).view_as(parameter))
    texts = [(row["anchor"], "query") for row in rows]
    texts += [(row[role], "document") for role in ("positive", "negative") for row in rows if row[role]]
    ids = [task.encoder.tokenizer([text], kind).ids for text, kind in texts]  # type: ignore[arg-type]
    pairs = [[t.encoder(t.encoder.tokenizer.pad(i)).pooled_BD[0] for t in (task, untouched)] for i in ids]
    expected = 3.0 * sum(1 - F.cosine_similarity(a, b, dim=0).item() for a, b in pairs) / len(texts)
    assert task.losses(batch_of(task, rows))[1].item() == pytest.approx(expected, rel=1e-4)


def test_a_step_trains_on_the_loss_and_on_what_was_lost(
    tiny: Path, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = SimilarityMapVerifier(MaxSim(), str(tiny), retention=3.0).eval()
    with torch.no_grad():
        for parameter in task.encoder.parameters():
            parameter.add_(torch.linspace(-0.1, 0.1, parameter.numel()).view_as(parameter))
    batch, logged = batch_of(task, rows), {}
    monkeypatch.setattr(task, "log", lambda name, value, **_: logged.update({name: value.item()}))
    loss, retained = (part.item() for part in task.losses(batch))
    assert retained > 0.1
    assert task.training_step(batch, 0).item() == pytest.approx(loss + retained)
    assert logged == pytest.approx({"train_loss": loss, "train_retention": retained})


def test_mistakes_are_one_line(tiny: Path, tiny_encoder: TextEncoder, tmp_path: Path) -> None:
    short = MapTransformer(max_length=16)
    for verifier in (short, Residual(short), ConditionalPenalty(short), Residual(MaxSim(), short)):
        with pytest.raises(UserError, match="the verifier takes maps of 16 tokens"):
            SimilarityMapVerifier(verifier, str(tiny))
    retriever = TwoStageRetriever(tiny_encoder, MaxSim())
    with pytest.raises(UserError, match="not calibrated"):
        retriever.same("a", "b")
    with pytest.raises(UserError, match="no texts"):
        retriever.index([])
    with pytest.raises(UserError, match="index texts first"):
        retriever.search(["a"])
    assert retriever.index(["the dog"]).search([]) == []
    with pytest.raises(UserError, match=r"no verifier.json there"):
        TwoStageRetriever.from_pretrained(tmp_path)


def test_a_loss_with_some_candidates_is_that_of_those_candidates(tiny: Path, triplets: Path) -> None:
    """With as many others as there are it is the loss with all; with fewer, that of the next rows' positives."""
    losses = {}
    for others in (None, 2, 5, 50):
        torch.manual_seed(0)
        task = SimilarityMapVerifier(MaxSim(), str(tiny), loss=Contrast(candidates="own", others=others)).eval()
        rows = [json.loads(line) for line in triplets.read_text().splitlines()[:6]]
        losses[others] = task.losses(Collate(task.encoder.tokenizer)(rows))[0].item()
    assert losses[50] == pytest.approx(losses[None], abs=1e-6)
    assert losses[5] == pytest.approx(losses[None], abs=1e-6)
    assert losses[2] < losses[None] - 1e-3


@pytest.mark.parametrize("loss", [Contrast(), Contrast(candidates="own", others=2), RankNet(), Binary()])
def test_a_batch_without_any_negative_has_a_loss(tiny: Path, rows: list[dict[str, Any]], loss: Loss) -> None:
    """As a validation batch of questions and passages may be."""
    task = SimilarityMapVerifier(MaxSim(), str(tiny), loss=loss)
    value, _ = task.losses(batch_of(task, [{**row, "negative": None} for row in rows]))
    assert torch.isfinite(value)
    value.backward()
