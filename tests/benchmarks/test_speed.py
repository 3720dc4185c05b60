"""compret beside sentence-transformers in one process: same model, texts, lengths, batch, dropout and precision.

Turns alternate and the fastest of each counts, so that another program on the machine slows neither more.
    make bench
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from compret.data.retrieval import find_sources, load_retrieval_set
from compret.evaluation.cosine_scorer import CosineScorer
from compret.evaluation.encode import encode
from compret.evaluation.retrieval import RetrievalSet
from compret.nn import TextEncoder
from compret.nn.backbone import MINILM, load_backbone

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.benchmark, pytest.mark.data, pytest.mark.slow]
TOKENS = 128
GOAL = 1.3


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio(peer: Callable[[], object], ours: Callable[[], object], turns: int, what: str) -> float:
    """The peer's fastest time over ours."""
    times = [(seconds(peer), seconds(ours)) for _ in range(turns)]
    peers, own = (min(column) for column in zip(*times, strict=True))
    log.warning("%s: sentence-transformers %.2f s, compret %.2f s, ratio %.2f", what, peers, own, peers / own)
    return peers / own


@pytest.fixture(scope="module")
def peer() -> Any:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(load_backbone(MINILM).folder), device="cpu")
    model.max_seq_length = TOKENS
    return model


@pytest.fixture(scope="module")
def ours() -> TextEncoder:
    return TextEncoder(max_length=TOKENS).eval()


@pytest.fixture(scope="module")
def cranfield(real_data: Path) -> RetrievalSet:
    return load_retrieval_set(find_sources(str(real_data / "retrieval"), ["cranfield"])[0])


def test_corpus_encoding(peer: Any, ours: TextEncoder, cranfield: RetrievalSet) -> None:
    texts = list(cranfield.documents)
    expected = peer.encode(texts[:64], normalize_embeddings=True)
    np.testing.assert_allclose(encode(ours, texts[:64], "document").unit_ND.numpy(), expected, atol=1e-5)
    found = ratio(
        lambda: peer.encode(texts, show_progress_bar=False), lambda: encode(ours, texts, "document"), 3, "encoding"
    )
    assert found >= GOAL


def test_full_evaluation(peer: Any, ours: TextEncoder, cranfield: RetrievalSet) -> None:
    from sentence_transformers.evaluation import InformationRetrievalEvaluator

    evaluator = InformationRetrievalEvaluator(
        dict(zip(cranfield.query_ids, cranfield.queries, strict=True)),
        dict(zip(cranfield.document_ids, cranfield.documents, strict=True)),
        {query: {d for d, grade in judged.items() if grade > 0} for query, judged in cranfield.qrels.items()},
        write_csv=False,
    )
    few = replace(cranfield, queries=cranfield.queries[:2], query_ids=cranfield.query_ids[:2], name="warm-up")
    scorer = CosineScorer(ours)
    few.evaluate(scorer)
    found = ratio(lambda: evaluator(peer), lambda: cranfield.evaluate(scorer), 2, "full evaluation")
    expected = evaluator(peer)["cosine_ndcg@10"]
    assert cranfield.evaluate(scorer).metrics["ndcg@10"] == pytest.approx(expected, abs=1e-4)
    assert found >= GOAL


@pytest.mark.parametrize(
    ("file", "batch", "chunk_size"),
    [("retrieval.jsonl", 32, None), ("structneg.jsonl", 32, None), ("structneg.jsonl", 256, 64)],
)
def test_training_steps(real_data: Path, tmp_path: Path, file: str, batch: int, chunk_size: int | None) -> None:
    """Steps a second of both trainers, their start-up and first steps left out; dropout 0.1, AdamW.

    In chunks, against the cached variant of the same loss (GradCache on both sides).
    """
    steps, warm = (4, 1) if chunk_size else (8, 2)
    with (real_data / "train" / file).open(encoding="utf-8") as lines:
        columns = ("anchor", "positive", *(["negative"] if file == "structneg.jsonl" else []))
        rows = [{c: row[c] for c in columns} for row in map(json.loads, itertools.islice(lines, batch * 40))]
    peers = steps_of_peer(rows, batch, steps, warm, tmp_path, chunk_size)
    own = steps_of_compret(rows, batch, steps, warm, tmp_path, chunk_size)
    what = f"{file}, {batch} rows{f' in chunks of {chunk_size}' if chunk_size else ''}"
    log.warning("%s: sentence-transformers %.3f s, compret %.3f s a step, ratio %.2f", what, peers, own, peers / own)
    assert peers / own >= GOAL


def steps_of_peer(
    rows: list[dict[str, str]], batch: int, steps: int, warm: int, folder: Path, chunk_size: int | None
) -> float:
    """Median seconds a step of SentenceTransformerTrainer with MultipleNegativesRankingLoss, or its cached variant."""
    from datasets import Dataset
    from sentence_transformers import (
        SentenceTransformer,
        SentenceTransformerTrainer,
        SentenceTransformerTrainingArguments,
    )
    from sentence_transformers.losses import CachedMultipleNegativesRankingLoss, MultipleNegativesRankingLoss
    from transformers import TrainerCallback

    ticks: list[float] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            ticks.append(time.perf_counter())

    model = SentenceTransformer(str(load_backbone(MINILM).folder), device="cpu")
    model.max_seq_length = TOKENS
    arguments = SentenceTransformerTrainingArguments(
        output_dir=str(folder / "peer"),
        max_steps=warm + steps,
        per_device_train_batch_size=batch,
        learning_rate=2e-5,
        batch_sampler="no_duplicates",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        seed=42,
    )
    SentenceTransformerTrainer(
        model,
        arguments,
        Dataset.from_list(rows),
        loss=MultipleNegativesRankingLoss(model, scale=10)
        if chunk_size is None
        else CachedMultipleNegativesRankingLoss(model, scale=10, mini_batch_size=chunk_size),
        callbacks=[Clock()],
    ).train()
    return float(np.median(np.diff(ticks[warm - 1 :])))


def steps_of_compret(
    rows: list[dict[str, str]], batch: int, steps: int, warm: int, folder: Path, chunk_size: int | None
) -> float:
    """Median seconds a step of DualEncoder under Lightning's Trainer."""
    from lightning.pytorch import Callback, Trainer

    from compret.data import Triplets
    from compret.losses import Contrast
    from compret.tasks import DualEncoder

    ticks: list[float] = []

    class Clock(Callback):
        def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
            ticks.append(time.perf_counter())

    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    torch.manual_seed(42)
    Trainer(
        accelerator="cpu",
        max_steps=warm + steps,
        limit_val_batches=0,
        gradient_clip_val=1.0,
        use_distributed_sampler=False,
        callbacks=[Clock()],
        **quiet,
    ).fit(
        DualEncoder(max_length=TOKENS, loss=Contrast(temperature=0.1), chunk_size=chunk_size),
        datamodule=Triplets([str(file)], batch_size=batch, holdout=0.0),
    )
    return float(np.median(np.diff(ticks[warm - 1 :])))


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.set_num_threads(os.cpu_count() or 1)
        yield
        torch.set_num_threads(1)
