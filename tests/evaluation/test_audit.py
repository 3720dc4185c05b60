"""An audit's counts against plain loops, its calibrated threshold on other pairs, its files read back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from compret.data.near_miss_files import load_near_misses
from compret.evaluation.audit import audit
from compret.evaluation.audit_files import facts, table, write_audit
from compret.evaluation.cosine_scorer import CosineScorer
from compret.evaluation.near_miss import NearMissSet
from compret.evaluation.results import Results
from compret.evaluation.retriever import TwoStageRetriever
from compret.evaluation.verifier_scorer import VerifierScorer
from compret.metrics.calibration import calibrate
from compret.nn.encoder import TextEncoder
from compret.nn.verifiers import MapTransformer, Residual
from compret.types import UserError
from tests.conftest import write_pairs


@pytest.fixture
def tested(pairs: Path) -> NearMissSet:
    return load_near_misses(str(pairs))


@pytest.fixture
def others(tmp_path: Path, sentences: list[str]) -> NearMissSet:
    return load_near_misses(str(write_pairs(tmp_path / "others.jsonl", sentences[24:48])))


def test_counts_are_those_of_a_loop_over_sentence_transformers_cosines(
    tiny: Path, tiny_encoder: TextEncoder, tested: NearMissSet
) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(tiny), device="cpu")
    vectors = {text: model.encode(text, normalize_embeddings=True) for text in {*tested.anchors, *tested.candidates}}
    cosines = [float(vectors[a] @ vectors[c]) for a, c in zip(tested.anchors, tested.candidates, strict=True)]
    threshold = float(np.median(cosines))
    found = audit(CosineScorer(tiny_encoder), tested, threshold=threshold)
    for name in (None, "paraphrase", "role-swap", "order"):
        accepted = lost = near_misses = paraphrases = 0
        for cosine, label, category in zip(cosines, tested.labels, tested.categories, strict=True):
            if name in (None, category):
                near_misses, paraphrases = near_misses + (label == 0), paraphrases + (label == 1)
                accepted, lost = accepted + (not label and cosine >= threshold), lost + (label and cosine < threshold)
        at = found.at[0].all if name is None else found.at[0].categories[name]
        assert (at.false_accepts.count, at.false_accepts.of) == (accepted, near_misses)
        assert (at.lost.count, at.lost.of) == (lost, paraphrases)
    highest = max((c, a) for c, a, label in zip(cosines, tested.anchors, tested.labels, strict=True) if not label)
    assert found.false_accepts(1)[0].anchor == highest[1]
    assert found.false_accepts(1)[0].score == pytest.approx(highest[0], abs=1e-5)
    worst = found.lost(99)
    assert [example.score for example in worst] == sorted(example.score for example in worst)
    texts = [text for example in worst for text in (example.anchor, example.candidate)]
    assert len(set(texts)) == len(texts) > 40


def test_the_calibrated_threshold_is_fitted_on_the_other_pairs(
    tiny_encoder: TextEncoder, tested: NearMissSet, others: NearMissSet
) -> None:
    scorer = CosineScorer(tiny_encoder)
    found = audit(scorer, tested, others, budget=0.25)
    scores = scorer.pairs(others.anchors, others.candidates).scores_P
    fitted = calibrate(scores, others.labels, 0.25)
    assert fitted is not None
    assert [at.threshold.value for at in found.at] == [fitted.threshold]
    accepted = sum(s >= fitted.threshold and not label for s, label in zip(scores, others.labels, strict=True))
    assert accepted <= 0.25 * others.labels.count(0)
    assert found.calibration is not None
    assert (found.calibration["near_misses"], found.calibration["fingerprint"]) == (24, others.fingerprint)


def test_the_tested_pairs_calibrate_nothing(tiny_encoder: TextEncoder, tested: NearMissSet) -> None:
    with pytest.raises(UserError, match="cannot be calibrated on the tested pairs"):
        audit(CosineScorer(tiny_encoder), tested, tested)
    with pytest.raises(UserError, match="no threshold"):
        audit(CosineScorer(tiny_encoder), tested)


def test_an_audit_decides_as_the_guard_does(tiny_encoder: TextEncoder, tested: NearMissSet) -> None:
    """Pair by pair, equal texts too, whose score here is below the threshold."""
    torch.manual_seed(0)
    verifier = Residual(MapTransformer(16, 1, 2, 32, max_length=32, dropout=0.0))
    guard = TwoStageRetriever(tiny_encoder, verifier)
    scores = guard.scorer.pairs(tested.anchors, tested.candidates).scores_P
    own = calibrate(scores, tested.labels, 0.3)
    assert own is not None
    guard.calibration = own
    anchors, candidates = [*tested.anchors, "a dog"], [*tested.candidates, "a dog"]
    data = NearMissSet("a", anchors, candidates, [*tested.labels, 1], [*tested.categories, "equal"], "other")
    found = audit(VerifierScorer(tiny_encoder, verifier), data, own=own, threshold=1e6)
    said = [guard.same(a, c).accept for a, c in zip(anchors, candidates, strict=True)]
    false_accepts = sum(yes and not label for yes, label in zip(said, data.labels, strict=True))
    assert [at.threshold.kind for at in found.at] == ["given", "own"]
    assert found.at[1].all.false_accepts.count == false_accepts
    assert found.at[1].all.lost.count == sum(not yes and label for yes, label in zip(said, data.labels, strict=True))
    assert found.at[0].all.lost.count == 24  # all but the equal texts
    assert found.at[0].categories["equal"].lost.count == 0


def test_its_files_hold_its_numbers(
    tiny_encoder: TextEncoder, tested: NearMissSet, others: NearMissSet, tmp_path: Path
) -> None:
    found = audit(CosineScorer(tiny_encoder), tested, others, threshold=0.9, source="the others")
    scores, report, stored = write_audit(found, tmp_path / "out", {"command": "compret audit"})
    rows = [json.loads(line) for line in scores.read_text().splitlines()]
    content = json.loads(stored.read_text())
    assert len(rows) == 48
    for at in content["thresholds"]:
        value = at["threshold"]["value"]
        assert at["all"]["false_accepts"]["count"] == sum(r["score"] >= value and not r["label"] for r in rows)
        assert at["all"]["lost"]["count"] == sum(r["score"] < value and r["label"] for r in rows)
    assert content["pairs"]["counts"]["pairs"] == 48
    assert content["calibration"]["name"] == "others"
    assert content["worst"]["near_misses"][0]["score"] == max(r["score"] for r in rows if not r["label"])
    text = report.read_text()
    assert all(f"| {name} |" in text for name in ("all", "role-swap", "order", "paraphrase"))
    assert "of the others" in text
    assert "- command: `compret audit`" in text


def test_a_table_says_what_is_not_defined(tiny_encoder: TextEncoder, tested: NearMissSet) -> None:
    headings, rows = table(audit(CosineScorer(tiny_encoder), tested, threshold=0.5))
    cells = {row[0].strip(): row[1:] for row in rows}
    assert headings == ["pairs", "accepted 0.500", "lost 0.500"]
    assert cells["paraphrase"][0] == "-"
    assert cells["role-swap"][1] == "-"
    assert rows[0][0] == "all"


@pytest.mark.parametrize("label", [0, 1])
def test_one_label_alone_is_audited_at_a_given_threshold(
    tiny_encoder: TextEncoder, tested: NearMissSet, others: NearMissSet, label: int, tmp_path: Path
) -> None:
    data = NearMissSet("one", tested.anchors, tested.candidates, [label] * 48, tested.categories, "one")
    found = audit(CosineScorer(tiny_encoder), data, others, threshold=0.5)
    assert found.at[0].all.false_accepts.of == (0 if label else 48)
    assert found.at[0].all.lost.share is None or label
    assert len(found.false_accepts(3)) == (0 if label else 3)
    assert "AUROC" not in " ".join(facts(found))
    assert json.loads(write_audit(found, tmp_path / "out")[-1].read_text())["pairs"]["auroc"] is None


def test_thresholds_that_are_near_look_different(
    tiny_encoder: TextEncoder, tested: NearMissSet, others: NearMissSet
) -> None:
    own = calibrate([0.1, 0.2], [0, 1], 0.0)
    assert own is not None
    scorer = CosineScorer(tiny_encoder)
    headings, _ = table(audit(scorer, tested, own=own, threshold=own.threshold + 1e-5))
    assert headings[1:] == ["accepted 0.15001", "lost 0.15001", "accepted 0.15000", "lost 0.15000"]
    headings, _ = table(audit(scorer, tested, own=own, threshold=own.threshold))
    assert len(set(headings)) == 5


def test_scores_are_written_as_a_test_writes_them(
    tiny_encoder: TextEncoder, tested: NearMissSet, tmp_path: Path
) -> None:
    scorer = CosineScorer(tiny_encoder)
    write_audit(audit(scorer, tested, threshold=0.5), tmp_path / "audit")
    Results({}, [tested.evaluate(scorer)]).write(tmp_path / "test")
    first, second = ((tmp_path / name / "scores" / "pairs.jsonl").read_bytes() for name in ("audit", "test"))
    assert first == second
