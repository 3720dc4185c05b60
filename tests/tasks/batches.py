"""Rows as one batch of a task."""

from __future__ import annotations

from typing import Any

from compret.data.collate import Collate
from compret.tasks import SimilarityMapVerifier
from compret.types import TripletBatch


def batch_of(task: SimilarityMapVerifier, rows: list[dict[str, Any]]) -> TripletBatch:
    return Collate(task.encoder.tokenizer, passes=3)(rows)
