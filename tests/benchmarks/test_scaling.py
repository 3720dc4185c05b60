"""Time of an evaluation against the size of the corpus: linear."""

from __future__ import annotations

import itertools
import logging
import os
import time
from collections.abc import Iterator

import pytest
import torch

from compret.evaluation.cosine_scorer import CosineScorer
from compret.evaluation.retrieval import RetrievalSet
from compret.nn.encoder import TextEncoder

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.benchmark, pytest.mark.slow]
SIZES = (1_000, 10_000, 100_000)
NOUNS, VERBS = (
    "dog cat bird man woman house tree river file list key value".split(),
    "bit saw chased opens closes".split(),
)


@pytest.fixture(autouse=True)
def _all_cores() -> Iterator[None]:
    torch.set_num_threads(os.cpu_count() or 1)
    yield
    torch.set_num_threads(1)


def corpus(size: int) -> RetrievalSet:
    """Different sentences of seven to nineteen words, and fifty queries that are among them."""
    words = itertools.product(NOUNS, VERBS, NOUNS, NOUNS, VERBS, NOUNS)
    texts = [
        f"the {a} {b} the {c} and {'very ' * (i % 13)}the {d} {e} the {f}"
        for i, (a, b, c, d, e, f) in enumerate(itertools.islice(words, size))
    ]
    ids, asked = [f"d{i}" for i in range(size)], list(range(0, size, size // 50))[:50]
    wanted = {f"q{i}": {ids[i]: 1} for i in asked}
    return RetrievalSet("zoo", "BEIR", ids, texts, list(wanted), [texts[i] for i in asked], wanted, "")


def test_time_grows_with_the_corpus_and_no_faster(tiny_encoder: TextEncoder) -> None:
    corpus(500).evaluate(CosineScorer(tiny_encoder))
    per_document = []
    for size in SIZES:
        data, times = corpus(size), []
        for _ in range(3 if size < 50_000 else 1):
            start = time.perf_counter()
            data.evaluate(CosineScorer(tiny_encoder))
            times.append(time.perf_counter() - start)
        per_document.append(min(times) / size)
        log.warning("%d documents: %.2f s, %.1f us a document", size, min(times), 1e6 * per_document[-1])
    assert per_document[2] <= 1.3 * per_document[1]
    assert per_document[1] <= 1.3 * per_document[0]
