"""Approximate search: nearly the exact ranking, in the same order of ties; and what is said without FAISS."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from compret.evaluation.approximate import rank_approximately, searcher
from compret.evaluation.cosine_scorer import CosineScorer
from compret.evaluation.retrieval import RetrievalSet
from compret.evaluation.retrieve import rank_documents
from compret.nn.encoder import TextEncoder
from compret.types import UserError


def unit(count: int, seed: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(count, 16, generator=torch.Generator().manual_seed(seed)), dim=1)


def test_nearly_all_of_the_best_are_found_with_their_exact_scores() -> None:
    pytest.importorskip("faiss")
    documents, queries, ids = unit(3000, 0), unit(20, 1), [f"{i:05d}" for i in range(3000)][::-1]
    exact, near = (
        rank_documents(queries, documents, ids, 50),
        rank_approximately(queries, documents, ids, 50, block=999),
    )
    pairs = list(zip(exact.rows_QK.tolist(), near.rows_QK.tolist(), strict=True))
    assert sum(len(set(a) & set(b)) for a, b in pairs) >= 0.98 * 20 * 50
    vectors = documents[torch.from_numpy(near.by_id)][near.rows_QK]
    torch.testing.assert_close(near.scores_QK, torch.einsum("qd,qkd->qk", queries, vectors), rtol=0, atol=1e-5)
    assert (near.scores_QK.diff(dim=1) <= 0).all()


def test_equal_scores_stand_in_the_order_of_ids_and_few_documents_are_all_found() -> None:
    pytest.importorskip("faiss")
    documents, ids = unit(1, 0).expand(7, -1).contiguous(), list("gfedcba")
    ranking = rank_approximately(unit(2, 1), documents, ids, 100)
    assert [[ids[ranking.by_id[p]] for p in places] for places in ranking.rows_QK.tolist()] == [list("abcdefg")] * 2


def test_a_scorer_searches_as_it_is_told(tiny_encoder: TextEncoder, sentences: list[str]) -> None:
    pytest.importorskip("faiss")
    ids = [f"d{i}" for i in range(len(sentences))]
    data = RetrievalSet("zoo", "BEIR", ids, sentences, ["q"], [sentences[7]], {"q": {"d7": 1}}, "")
    runs = []
    for search in ("exact", "faiss"):
        run = CosineScorer(tiny_encoder, search).rank(data).run  # type: ignore[arg-type]
        runs.append([document for document, _ in run["q"]][:10])
    assert runs[0] == runs[1]


def test_without_faiss_the_install_command_is_told(
    compret: Callable[..., tuple[int, str]], tiny: Path, beir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    assert searcher("exact") is rank_documents
    with pytest.raises(UserError, match="pip install 'compret"):
        searcher("faiss")
    code, said = compret(
        *("test", "--config", "nanobeir.yaml", "--model.backbone", tiny, "--model.max_length", 32),
        *("--data.source", beir, "--model.search", "faiss", "--trainer.accelerator", "cpu"),
    )
    assert code == 2
    assert "pip install 'compret[faiss]'" in said
