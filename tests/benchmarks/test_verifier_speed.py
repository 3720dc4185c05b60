"""Verifiers beside the plain formulation of the same work: a loop over anchors, maps padded to 128 x 128, no cache.

Both sides are compret's modules with the same weights; only the way of using them differs.
    make bench
"""

from __future__ import annotations

import copy
import logging
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from compret.data.retrieval import find_sources, load_retrieval_set
from compret.evaluation.rerank import rerank
from compret.evaluation.retrieve import rank_documents
from compret.evaluation.tokens import encode_tokens
from compret.losses import Contrast
from compret.nn.encoder import TextEncoder
from compret.nn.pair_scoring import TokenStates, score_all
from compret.nn.simmap import SimilarityMaps
from compret.nn.verifiers import MapCNN, MapTransformer, MaxSim, Verifier
from compret.types import PairScores

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.benchmark, pytest.mark.slow]
GRID, B, D = 128, 8, 384


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def texts(seed: int) -> TokenStates:
    """States of B captions of 12 to 32 tokens."""
    generator = torch.Generator().manual_seed(seed)
    lengths = tuple(torch.randint(12, 33, (B,), generator=generator).tolist())
    tokens = F.normalize(torch.randn(sum(lengths), D, generator=generator), dim=1)
    return TokenStates(tokens, lengths, F.normalize(torch.randn(B, D, generator=generator), dim=1))


def padded(states: TokenStates) -> tuple[torch.Tensor, torch.Tensor]:
    tokens, mask = torch.zeros(len(states), GRID, D), torch.zeros(len(states), GRID, dtype=torch.bool)
    for row, (start, length) in enumerate(zip(states.starts, states.lengths, strict=True)):
        tokens[row, :length] = states.unit_TD[start : start + length]
        mask[row, :length] = True
    return tokens, mask


def plain_step(verifier: Verifier, anchors: TokenStates, candidates: TokenStates) -> float:
    """One anchor after the other against all candidates, in maps of 128 x 128."""
    (a, a_mask), (c, c_mask) = padded(anchors), padded(candidates)
    total = 0.0
    for row in range(len(anchors)):
        maps = SimilarityMaps(
            torch.einsum("md,cnd->cmn", a[row], c),
            a_mask[row].expand(len(c), -1),
            c_mask,
            candidates.pooled_BD @ anchors.pooled_BD[row],
        )
        loss = F.cross_entropy(verifier(maps).unsqueeze(0) / 0.1, torch.tensor([row])) / len(anchors)
        loss.backward()
        total += float(loss.detach())
    return total


def our_step(verifier: Verifier, anchors: TokenStates, candidates: TokenStates) -> float:
    every_BC = score_all(verifier, anchors, candidates)
    none = torch.zeros(0)
    rows_B = torch.arange(B)
    duplicates_BC = torch.zeros(every_BC.shape, dtype=torch.bool)
    counts = (float(B), 0.0, 0.0)
    positives_B = every_BC.diagonal()
    scores = PairScores(positives_B, none, none.long(), *counts, rows_B, every_BC, duplicates_BC)
    loss = Contrast()(scores)
    loss.backward()
    return float(loss.detach())


@pytest.mark.parametrize(
    ("name", "verifier", "goal"),
    [
        ("F3", MapCNN((128, 256), 128, dropout=0.0), 20),
        ("F4", MapTransformer(384, 1, 1, 32, patch=8, dropout=0.0, max_length=GRID), 3),
    ],
)
@pytest.mark.usefixtures("_alone")
def test_training_steps(name: str, verifier: Verifier, goal: float) -> None:
    twin = copy.deepcopy(verifier)
    anchors, positives, negatives = texts(0), texts(1), texts(2)
    candidates = TokenStates(
        torch.cat([positives.unit_TD, negatives.unit_TD]),
        positives.lengths + negatives.lengths,
        torch.cat([positives.pooled_BD, negatives.pooled_BD]),
    )
    assert our_step(verifier, anchors, candidates) == pytest.approx(plain_step(twin, anchors, candidates), abs=1e-4)
    times = [
        (
            seconds(lambda: plain_step(twin, anchors, candidates)),
            seconds(lambda: our_step(verifier, anchors, candidates)),
        )
        for _ in range(3)
    ]
    plain, ours = (min(column) for column in zip(*times, strict=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    log.warning("%s, %d x %d pairs: plain %.2f s, compret %.3f s a step, ratio %.1f; peak of both %.1f GiB",
                name, B, 2 * B, plain, ours, plain / ours, peak)  # fmt: skip
    assert plain / ours >= goal


@pytest.mark.data
@pytest.mark.usefixtures("_alone")
def test_reranking(real_data: Path) -> None:
    """MaxSim over the 100 best documents of 50 queries; the plain way encodes each candidate again for each query.

    compret's re-ranking takes the states that the recall stage made; with that stage counted on its side alone, the
    ratio is logged too.
    """
    data = load_retrieval_set(find_sources(str(real_data / "retrieval"), ["cranfield"])[0])
    encoder, verifier, queries = TextEncoder(max_length=64).eval(), MaxSim(), data.queries[:50]
    start = time.perf_counter()
    documents = encode_tokens(encoder, data.documents, "document")
    asked = encode_tokens(encoder, queries, "query")
    recalled = rank_documents(asked.unit_ND, documents.unit_ND, data.document_ids)
    recall = time.perf_counter() - start
    found = recalled.by_id[recalled.rows_QK.numpy()].tolist()

    def plain() -> list[list[int]]:
        ranked = []
        for query, rows in zip(queries, found, strict=True):
            states = encode_tokens(encoder, [data.documents[row] for row in rows], "document").states
            scores = score_all(verifier, encode_tokens(encoder, [query], "query").states, states)[0]
            ranked.append([rows[i] for i in scores.argsort(descending=True, stable=True).tolist()])
        return ranked

    results: list[Any] = []
    own = seconds(lambda: results.append(rerank(verifier, asked, documents, recalled)))
    peer = seconds(lambda: results.append(plain()))
    ranking, expected = results
    assert ranking.by_id[ranking.rows_QK[:, :5].numpy()].tolist() == [rows[:5] for rows in expected]
    log.warning("re-ranking 100 of 1,400 for 50 queries: plain %.1f s, compret %.2f s, ratio %.1f; %.1f with recall",
                peer, own, peer / own, peer / (own + recall))  # fmt: skip
    assert peer / own >= 10


@pytest.fixture
def _alone() -> None:
    import os

    torch.set_num_threads(os.cpu_count() or 1)
