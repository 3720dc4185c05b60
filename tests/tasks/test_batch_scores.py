"""What a loss is given of labelled pairs."""

from __future__ import annotations

import pytest
import torch

from compret.data.collate import Collate
from compret.losses import Needs
from compret.nn.cosines import Cosines
from compret.nn.encoder import TextEncoder
from compret.tasks.batch_scores import pair_scores


def test_a_teachers_one_score_of_a_labelled_pair_stands_with_the_pair(tiny_encoder: TextEncoder) -> None:
    rows = [
        {"anchor": "a", "positive": None, "negative": "b", "category": "all", "teacher": -1.5},
        {"anchor": "c", "positive": "d", "negative": None, "category": "all", "teacher": 2.5},
        {"anchor": "e", "positive": "f", "negative": "g", "category": "x", "teacher": 3.5},
    ]
    batch = Collate(tiny_encoder.tokenizer, columns=("teacher", "teacher_negative"))(rows)
    texts = Cosines(torch.randn(len(batch.places), 4, generator=torch.Generator().manual_seed(0)))
    scores = pair_scores(batch, Needs(columns=("teacher", "teacher_negative")), texts)
    assert scores.teacher_positives_B is not None
    assert scores.teacher_positives_B.tolist() == [2.5, 3.5]
    assert scores.teacher_negatives_C is not None
    of_triplet, of_pair = scores.teacher_negatives_C.tolist()
    assert of_pair == -1.5
    assert of_triplet == pytest.approx(float("nan"), nan_ok=True)
