"""Bench: numbers that are not finite stop a test, and edited words are measured where they are asked for."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from compret.data import NanoBEIR
from compret.data.near_miss_files import load_near_misses
from compret.evaluation.bench import Bench
from compret.evaluation.cosine_scorer import CosineScorer
from compret.evaluation.scorer import Scorer
from compret.evaluation.verifier_scorer import VerifierScorer
from compret.metrics.edit_words import edit_word_scores
from compret.metrics.near_miss import auroc
from compret.nn.encoder import TextEncoder
from compret.nn.verifiers import MapCNN, MaxSim, Verifier
from compret.types import UserError

NOT_FINITE = "gives numbers that are not finite"


@pytest.fixture
def broken(tiny_encoder: TextEncoder) -> TextEncoder:
    """The tiny model after a step that went wrong."""
    encoder = copy.deepcopy(tiny_encoder)
    for parameter in encoder.parameters():
        parameter.data.fill_(float("nan"))
    return encoder


def scorer(encoder: TextEncoder, verifier: Verifier | None) -> Scorer:
    return VerifierScorer(encoder, verifier) if verifier else CosineScorer(encoder)


@pytest.mark.parametrize("verifier", [None, MaxSim()], ids=["cosine", "verifier"])
def test_an_encoder_of_nan_is_told_and_not_scored(
    broken: TextEncoder, beir: Path, pairs: Path, verifier: Verifier | None
) -> None:
    bench = Bench(scorer(broken, verifier))
    with pytest.raises(UserError, match=f"^zoo documents: {broken.name} {NOT_FINITE}"):
        bench.run(NanoBEIR(str(beir), ["zoo"]).load(0))
    with pytest.raises(UserError, match=f"^pairs: {broken.name} {NOT_FINITE}"):
        bench.run(load_near_misses(str(pairs)))
    assert not bench.found


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_verifier_that_is_not_finite_is_told(tiny_encoder: TextEncoder, beir: Path, pairs: Path, value: str) -> None:
    verifier = MapCNN().eval()
    verifier.head[-1].bias.data.fill_(float(value))
    bench = Bench(scorer(tiny_encoder, verifier))
    with pytest.raises(UserError, match=f"^zoo re-ranked by MapCNN: .* {NOT_FINITE}"):
        bench.run(NanoBEIR(str(beir), ["zoo"]).load(0))
    with pytest.raises(UserError, match=f"^pairs scored by MapCNN: .* {NOT_FINITE}"):
        bench.run(load_near_misses(str(pairs)))


def test_one_text_that_is_not_finite_is_enough(
    tiny_encoder: TextEncoder, pairs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forward, calls = TextEncoder.forward, []

    def overflowing(self: TextEncoder, *batch: object) -> object:
        encoded = forward(self, *batch)  # type: ignore[arg-type]
        if not calls:
            encoded.pooled_BD[0, 0] = torch.inf
        calls.append(1)
        return encoded

    monkeypatch.setattr(TextEncoder, "forward", overflowing)
    with pytest.raises(UserError, match=NOT_FINITE):
        Bench(CosineScorer(tiny_encoder)).run(load_near_misses(str(pairs)))


def test_edited_words_are_measured_if_asked_for(tiny_encoder: TextEncoder, pairs: Path) -> None:
    data = load_near_misses(str(pairs))
    plain, full = (Bench(CosineScorer(tiny_encoder), baselines=asked) for asked in (False, True))
    for bench in (plain, full):
        bench.run(data)
    asked, other = full.found[0].metrics, plain.found[0].metrics
    edited = edit_word_scores(data.anchors, data.candidates, data.labels)
    assert asked["edit_words_auroc"] == auroc(edited, data.labels)  # type: ignore[arg-type]
    assert other["edit_words_auroc"] is None
    assert {k: v for k, v in asked.items() if k not in ("edit_words_auroc", "categories")} == {
        k: v for k, v in other.items() if k not in ("edit_words_auroc", "categories")
    }
