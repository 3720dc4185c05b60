"""NevIR: two queries and two documents a pair, each query scored with both documents; cosine or a verifier."""

from __future__ import annotations

import time
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from compret.evaluation.encode import encode
from compret.evaluation.nevir_result import NevIRResult
from compret.evaluation.rerank import Recall, paired_scores
from compret.evaluation.tokens import encode_tokens
from compret.nn.encoder import TextEncoder
from compret.nn.verifiers import Verifier
from compret.types import ContrastSet


def evaluate_nevir(
    data: ContrastSet,
    encoder: TextEncoder,
    verifier: Verifier | None = None,
    special_tokens: bool = True,
    recall: Recall = Recall(),
) -> NevIRResult:
    """Score each query with both documents of its pair, queries with the query prompt and documents with theirs."""
    start = time.perf_counter()
    queries, documents = list(chain.from_iterable(data.queries)), list(chain.from_iterable(data.documents))
    if verifier is None:
        scores_P22, counts = _cosines(encoder, queries, documents, data.name)
    else:
        scores_P22, counts = _verified(encoder, verifier, queries, documents, special_tokens, recall, data.name)
    seconds = {"encode and score": time.perf_counter() - start}
    score = "cosine" if verifier is None else "verifier"
    return NevIRResult(data.name, data, scores_P22, {**data.counts, **counts}, seconds, score)


def _cosines(
    encoder: TextEncoder, queries: list[str], documents: list[str], progress: str
) -> tuple[NDArray[np.float64], dict[str, int]]:
    sides = encode(encoder, queries, "query", progress), encode(encoder, documents, "document", progress)
    truncated = {"truncated_texts": sum(side.truncated for side in sides)}
    return _products(*(side.unit_ND.double().cpu().numpy() for side in sides)), truncated


def _verified(
    encoder: TextEncoder,
    verifier: Verifier,
    queries: list[str],
    documents: list[str],
    special_tokens: bool,
    recall: Recall,
    progress: str,
) -> tuple[NDArray[np.float64], dict[str, int]]:
    left = encode_tokens(encoder, queries, "query", special_tokens, progress)
    right = encode_tokens(encoder, documents, "document", special_tokens, progress)
    first = np.arange(0, len(queries), 2)
    pairs = [(first + i, first + j) for i in (0, 1) for j in (0, 1)]
    numbers = np.stack([np.stack(pair, axis=1) for pair in pairs], axis=1).reshape(-1, 2)
    scores_P22 = paired_scores(verifier, left, right, numbers, encoder.device).double().cpu().numpy().reshape(-1, 2, 2)
    if recall.weight:
        sides = recall.vectors(queries, "query", left), recall.vectors(documents, "document", right)
        scores_P22 = scores_P22 + recall.weight * _products(*(side.unit_ND.double().cpu().numpy() for side in sides))
    return scores_P22, {"truncated_texts": left.vectors.truncated + right.vectors.truncated}


def _products(queries_ND: NDArray[np.float64], documents_ND: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine of each query with both documents of its pair, `(P, 2, 2)`."""
    queries_P2D, documents_P2D = (x.reshape(-1, 2, x.shape[-1]) for x in (queries_ND, documents_ND))
    scores_P22: NDArray[np.float64] = np.matmul(queries_P2D, documents_P2D.transpose(0, 2, 1))
    return scores_P22
