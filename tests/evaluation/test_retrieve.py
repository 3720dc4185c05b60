"""Rankings and their numbers against sentence-transformers' evaluator; ties against a plain sort."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

from compret.data import NanoBEIR, NearMissPairs
from compret.evaluation import cosine_scorer
from compret.evaluation.cosine_scorer import CosineScorer
from compret.evaluation.encode import encode
from compret.evaluation.near_miss import NearMissSet
from compret.evaluation.rerank import rerank
from compret.evaluation.retrieval import RetrievalSet
from compret.evaluation.retrieve import rank_documents, top_k
from compret.evaluation.tokens import encode_tokens
from compret.evaluation.verifier_scorer import Recall, VerifierScorer
from compret.metrics.near_miss import best_f1_threshold
from compret.nn.backbone import MINILM, load_backbone
from compret.nn.encoder import TextEncoder
from compret.nn.simmap import SimilarityMaps
from compret.nn.verifiers import MaxSim, Verifier

KS = (1, 3, 5, 10)


@settings(deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.integers(1, 35))
def test_the_best_k_fall_by_score_and_then_rise_by_column(scores: list[int], k: int) -> None:
    row = torch.tensor([scores, scores[::-1]], dtype=torch.float32)
    values, columns = top_k(row, k)
    for given_row, got, at in zip(row.tolist(), values.tolist(), columns.tolist(), strict=True):
        expected = sorted(range(len(scores)), key=lambda i: (-given_row[i], i))[:k]
        assert at == expected
        assert got == [given_row[i] for i in expected]


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 4), st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(1, 12), st.integers(1, 45))
def test_blocks_of_documents_change_no_rank(queries: int, kinds: list[int], block: int, depth: int) -> None:
    """Many equal scores, also across the cuts: score falling, then id rising."""
    kinds_QD = torch.nn.functional.one_hot(torch.arange(queries) % 4, 4).float()
    documents_ND = torch.nn.functional.one_hot(torch.tensor(kinds), 4).float()
    ids = [f"d{(7 * i) % len(kinds)}-{i}" for i in range(len(kinds))]
    ranking = rank_documents(kinds_QD, documents_ND, ids, depth, block)
    for query in range(queries):
        scored = sorted(range(len(kinds)), key=lambda i: (-float(kinds[i] == query % 4), ids[i]))[:depth]
        assert [ranking.by_id[place] for place in ranking.rows_QK[query]] == scored
        assert ranking.scores_QK[query].tolist() == [float(kinds[i] == query % 4) for i in scored]


def test_vectors_on_disk_are_those_in_memory(tiny_encoder: TextEncoder, sentences: list[str]) -> None:
    texts = [*sentences, sentences[3]]
    in_memory, on_disk = (encode(tiny_encoder, texts, "query", memory=memory) for memory in (1 << 30, 100))
    assert on_disk.store.on_disk
    assert not in_memory.store.on_disk
    assert torch.equal(on_disk.unit_ND, in_memory.unit_ND)
    ids = [str(i) for i in range(len(texts))]
    one, other = (rank_documents(v.unit_ND[:5], v, ids, 7, block=8) for v in (in_memory, on_disk))
    assert torch.equal(one.scores_QK, other.scores_QK)
    assert torch.equal(one.rows_QK, other.rows_QK)


def test_mixed_precision_changes_no_rank() -> None:
    """bfloat16 has three digits, fewer than neighbours differ by."""
    generator = torch.Generator().manual_seed(0)
    documents, queries = (
        torch.nn.functional.normalize(torch.randn(count, 64, generator=generator), dim=1) for count in (2000, 9)
    )
    ids = [f"{i:04d}" for i in range(len(documents))]
    exact = rank_documents(queries, documents, ids)
    with torch.autocast("cpu", torch.bfloat16):
        assert (queries @ documents.T).dtype == torch.bfloat16
        mixed = rank_documents(queries, documents, ids)
    assert torch.equal(mixed.rows_QK, exact.rows_QK)
    assert torch.equal(mixed.scores_QK, exact.scores_QK)


def test_two_stages_on_disk_rank_like_those_in_memory(tiny_encoder: TextEncoder, sentences: list[str]) -> None:
    texts, verifier = [*sentences, sentences[3]], MaxSim()
    ids, rankings = [str(i) for i in range(len(texts))], []
    for memory in (1 << 30, 100):
        documents, queries = (encode_tokens(tiny_encoder, t, "query", memory=memory) for t in (texts, texts[:5]))
        assert documents.vectors.store.on_disk == (memory == 100)
        recalled = rank_documents(queries.unit_ND, documents.vectors, ids, 7, block=8)
        rankings.append((recalled, rerank(verifier, queries, documents, recalled)))
    for one, other in zip(*rankings, strict=True):
        assert torch.equal(one.scores_QK, other.scores_QK)
        assert torch.equal(one.rows_QK, other.rows_QK)


class Undecided(Verifier):
    """Scores all pairs alike."""

    def forward(self, maps: SimilarityMaps) -> torch.Tensor:
        return torch.zeros_like(maps.cosine_P)


def test_equal_scores_of_a_verifier_stand_in_the_order_of_ids(tiny_encoder: TextEncoder, beir: Path) -> None:
    ranked = VerifierScorer(tiny_encoder, Undecided()).rank(NanoBEIR(str(beir), ["zoo"]).load(0))
    assert ranked.recalled is not None
    for query, ranking in ranked.run.items():
        assert [document for document, _ in ranking] == sorted(document for document, _ in ranked.recalled[query])
    assert ranked.run != ranked.recalled


def test_another_encoder_recalls_and_its_cosine_counts(
    tiny_encoder: TextEncoder, beir: Path, new_backbone: Callable[..., Path], tmp_path: Path
) -> None:
    """Stage one is that of the other encoder alone; stage two is the verifier's scores plus a weight times cosines."""
    data = NanoBEIR(str(beir), ["zoo"]).load(0)
    other = TextEncoder(str(new_backbone(tmp_path / "other", "cls"))).eval()
    scorers = (VerifierScorer(tiny_encoder, MaxSim(), recall=Recall(other, weight)) for weight in (0.0, 0.5))
    plain, weighted = (data.evaluate(scorer) for scorer in scorers)
    alone = data.evaluate(CosineScorer(other))
    assert alone.run != data.evaluate(CosineScorer(tiny_encoder)).run
    assert plain.recall_stage is not None
    assert plain.recall_stage.run == alone.run
    for query, ranking in weighted.run.items():
        cosine, score = dict(alone.run[query]), dict(plain.run[query])
        assert dict(ranking) == pytest.approx({name: score[name] + 0.5 * cosine[name] for name in score}, abs=1e-6)
        assert [value for _, value in ranking] == sorted((value for _, value in ranking), reverse=True)


def test_a_cosine_counts_beside_the_verifier_of_a_pair(
    tiny_encoder: TextEncoder, sentences: list[str], new_backbone: Callable[..., Path], tmp_path: Path
) -> None:
    other = TextEncoder(str(new_backbone(tmp_path / "other", "cls"))).eval()
    pairs = (sentences[:-1], sentences[1:])
    alone = VerifierScorer(tiny_encoder, MaxSim()).pairs(*pairs).scores_P
    for recall, encoder in ((Recall(weight=3.0), tiny_encoder), (Recall(other, 3.0), other)):
        scores_P = VerifierScorer(tiny_encoder, MaxSim(), recall=recall).pairs(*pairs).scores_P
        assert scores_P == pytest.approx(alone + 3 * CosineScorer(encoder).pairs(*pairs).scores_P, abs=1e-5)


def test_pairs_are_scored_in_blocks(
    tiny_encoder: TextEncoder, sentences: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer, pairs = CosineScorer(tiny_encoder), (sentences[:-1], sentences[1:])
    whole = scorer.pairs(*pairs).scores_P
    monkeypatch.setattr(cosine_scorer, "_PAIRS", 7)
    blocks = scorer.pairs(*pairs).scores_P
    assert blocks.tolist() == whole.tolist()


MILLION = """
import sys, numpy as np, torch
from pathlib import Path
from compret.evaluation.retrieve import rank_documents
from compret.evaluation.vectors import VectorStore

def mib(name):
    return next(int(line.split()[1]) for line in Path("/proc/self/status").open() if line.startswith(name)) / 1024

count, width = 1_000_000, 384
store = VectorStore(count, width, torch.device("cpu"))
assert store.on_disk
generator = torch.Generator().manual_seed(0)
for rows in np.split(np.arange(count), 20):
    store[rows] = torch.nn.functional.normalize(torch.randn(len(rows), width, generator=generator), dim=-1)
wanted = np.random.default_rng(0).choice(count, 100, replace=False)
found = rank_documents(store[wanted], store, [f"{i:07d}" for i in range(count)])
assert (found.by_id[found.rows_QK[:, 0].numpy()] == wanted).all()
sys.stdout.write(str(mib("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system tells no peak memory")
def test_a_million_documents_are_searched_in_two_gib() -> None:
    """All of the process, imports included; the vectors alone are 1.5 GB."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(os.cpu_count())}
    run = subprocess.run([sys.executable, "-c", MILLION], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    assert 500 < float(run.stdout) < 2048, run.stdout


def peers_numbers(model: SentenceTransformer, data: RetrievalSet) -> dict[str, float]:
    """nDCG and the like from sentence-transformers; documents without a grade above 0 are not relevant to it."""
    relevant = {q: {d for d, grade in judged.items() if grade > 0} for q, judged in data.qrels.items()}
    evaluator = InformationRetrievalEvaluator(
        dict(zip(data.query_ids, data.queries, strict=True)),
        dict(zip(data.document_ids, data.documents, strict=True)),
        {q: documents for q, documents in relevant.items() if documents},
        accuracy_at_k=list(KS),
        precision_recall_at_k=[*KS, 100],
    )
    logging.disable()
    try:
        found = evaluator(model)
    finally:
        logging.disable(logging.NOTSET)
    return {name.removeprefix("cosine_"): float(value) for name, value in found.items()}


def check_parity(
    model: SentenceTransformer, encoder: TextEncoder, data: RetrievalSet, tolerance: float
) -> Mapping[str, Any]:
    """Our numbers, which are the peer's wherever both have one."""
    expected, got = peers_numbers(model, data), data.evaluate(CosineScorer(encoder)).metrics
    shared = [name for name in got if name in expected]
    wanted = {f"{metric}@{k}" for metric in ("accuracy", "precision", "recall") for k in KS}
    assert {*wanted, "ndcg@10", "mrr@10", "map@100", "recall@100"} <= set(shared)
    for name in shared:
        assert got[name] == pytest.approx(expected[name], abs=tolerance), name
    return got


@pytest.mark.parametrize("name", ["zoo", "park"])
@pytest.mark.parametrize("prompts", [{}, {"query": "who saw ", "document": "the very small "}], ids=["", "prompts"])
def test_numbers_are_those_of_sentence_transformers(
    new_backbone: Callable[..., Path], beir: Path, tmp_path: Path, prompts: dict[str, str], name: str
) -> None:
    data = NanoBEIR(str(beir), [name]).load(0)
    folder = str(new_backbone(tmp_path / "model", prompts=prompts))
    check_parity(SentenceTransformer(folder, device="cpu"), TextEncoder(folder).eval(), data, 1e-9)


def test_queries_and_documents_have_their_prompts_in_both_stages(
    new_backbone: Callable[..., Path], beir: Path, tmp_path: Path
) -> None:
    prompts = {"query": "who saw ", "document": "the very small "}
    encoder = TextEncoder(str(new_backbone(tmp_path / "model", prompts=prompts))).eval()
    data = NanoBEIR(str(beir), ["park"]).load(0)
    ranked = VerifierScorer(encoder, MaxSim()).rank(data)
    assert ranked.recalled == CosineScorer(encoder).rank(data).run
    document, score = ranked.run[data.query_ids[0]][0]
    texts = (data.queries[0], "query"), (data.documents[data.document_ids.index(document)], "document")
    states = []
    for text, kind in texts:
        batch = encoder.tokenizer.pad(encoder.tokenizer([text], kind).ids)  # type: ignore[arg-type]
        with torch.inference_mode():
            states.append(torch.nn.functional.normalize(encoder(batch).tokens_BMD[0], dim=1))
    assert score == pytest.approx((states[0] @ states[1].T).amax(1).mean().item(), abs=1e-3)


def test_what_was_done_to_the_texts_is_counted(tiny_encoder: TextEncoder, beir: Path) -> None:
    counts = NanoBEIR(str(beir), ["zoo"]).load(0).evaluate(CosineScorer(tiny_encoder)).counts
    assert (counts["documents"], counts["queries"], counts["dropped_empty_documents"]) == (31, 9, 1)


@pytest.mark.parametrize("verifier", [None, MaxSim()], ids=["cosine", "verifier"])
def test_a_set_of_no_pairs_has_no_scores(tiny_encoder: TextEncoder, verifier: Verifier | None) -> None:
    scorer = VerifierScorer(tiny_encoder, verifier) if verifier else CosineScorer(tiny_encoder)
    assert NearMissSet("none", [], [], [], [], "").evaluate(scorer).scores_P.shape == (0,)


def test_the_threshold_is_chosen_on_the_validation_pairs(
    tiny_encoder: TextEncoder, pairs: Path, tmp_path: Path
) -> None:
    lines = pairs.read_text().splitlines(keepends=True)
    (tmp_path / "validation.jsonl").write_text("".join(lines[:20]))
    data = NearMissPairs([str(pairs)], [str(tmp_path / "validation.jsonl")]).load(0)
    assert data.validation is not None
    scorer, valid = CosineScorer(tiny_encoder), data.validation
    scored_P = scorer.pairs(valid.anchors, valid.candidates).scores_P
    assert data.evaluate(scorer).metrics["threshold"] == best_f1_threshold(scored_P, valid.labels)
    alone = replace(data, validation=None)
    assert alone.evaluate(scorer).metrics["f1"] is None
    assert alone.evaluate(CosineScorer(tiny_encoder, threshold=0.25)).metrics["threshold"] == 0.25


FULL = pytest.mark.full
REAL = [
    pytest.param("cranfield", 0.401),
    *(
        pytest.param(name, n, marks=FULL)
        for name, n in (("nq_oracle", 0.953), ("dbpedia_mini", 0.597), ("scifact", 0.624))
    ),
]


@pytest.fixture
def _all_cores() -> Iterator[None]:
    torch.set_num_threads(os.cpu_count() or 1)
    yield
    torch.set_num_threads(1)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.usefixtures("_all_cores")
@pytest.mark.parametrize(("name", "ndcg"), REAL)
def test_real_numbers_are_those_of_sentence_transformers(real_data: Path, name: str, ndcg: float) -> None:
    model = SentenceTransformer(str(load_backbone(MINILM).folder), device="cpu")
    model.max_seq_length = 128
    data = NanoBEIR(str(real_data / "retrieval"), [name]).load(0)
    encoder = TextEncoder(max_length=128).eval()
    assert check_parity(model, encoder, data, 1e-4)["ndcg@10"] == pytest.approx(ndcg, abs=1e-3)


@pytest.mark.data
@pytest.mark.full
@pytest.mark.usefixtures("_all_cores")
def test_scifact_has_the_published_number(real_data: Path) -> None:
    data = NanoBEIR(str(real_data / "retrieval"), ["scifact"]).load(0)
    mean = data.evaluate(CosineScorer(TextEncoder(max_length=256))).metrics
    assert mean["ndcg@10"] == pytest.approx(0.645, abs=0.002)
