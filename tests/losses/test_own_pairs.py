"""Losses with own negatives, and without any, against plain loops."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from compret.losses import Binary, Contrast, Distilled, Loss, RankNet
from compret.types import PairScores, UserError

B, ANCHORS = 5, (0, 2, 3)


def scores(duplicate: bool = False) -> PairScores:
    """Five anchors, three of them with a negative; perhaps the positive of row 4 is the text of row 1's."""
    every = torch.randn(B, B + 3, generator=torch.Generator().manual_seed(0))
    duplicates = torch.eye(B, B + 3, dtype=torch.bool)
    duplicates[1, 4] = duplicates[4, 1] = duplicate
    return PairScores(
        positives_B=every.diagonal(),
        negatives_C=torch.stack([every[a, B + c] for c, a in enumerate(ANCHORS)]),
        anchors_T=torch.tensor(ANCHORS),
        positives_a_rank=B,
        every_BC=every,
        rows_B=torch.arange(B),
        duplicates_BC=duplicates,
        negatives_a_rank=len(ANCHORS),
        triplets_a_rank=len(ANCHORS),
    )


def softmax_loss(positive: float, others: list[float], temperature: float) -> float:
    return math.log(sum(math.exp((x - positive) / temperature) for x in [positive, *others]))


def value(loss: Loss, given: PairScores) -> float:
    return float(loss(given))


@pytest.mark.parametrize("duplicate", [False, True])
def test_contrast_with_all_negatives(duplicate: bool) -> None:
    given = scores(duplicate)
    assert given.every_BC is not None
    rows = given.every_BC.tolist()
    barred = {(1, 4), (4, 1)} if duplicate else set()
    parts = [softmax_loss(row[i], [x for j, x in enumerate(row) if j != i and (i, j) not in barred], 0.5)
             for i, row in enumerate(rows)]  # fmt: skip
    assert value(Contrast(0.5), given) == pytest.approx(sum(parts) / B, abs=1e-5)


def test_contrast_with_the_own_negative_alone() -> None:
    given = scores()
    assert given.every_BC is not None
    own = dict(zip(ANCHORS, given.negatives_C.tolist(), strict=True))
    parts = [softmax_loss(row[i], [*(x for j, x in enumerate(row[:B]) if j != i), *([own[i]] if i in own else [])], 0.5)
             for i, row in enumerate(given.every_BC.tolist())]  # fmt: skip
    assert given.duplicates_BC is not None
    only_positives = replace(given, every_BC=given.every_BC[:, :B], duplicates_BC=given.duplicates_BC[:, :B])
    assert value(Contrast(0.5, "own"), only_positives) == pytest.approx(sum(parts) / B, abs=1e-5)


def test_ranknet() -> None:
    given = scores()
    parts = [
        softmax_loss(float(given.positives_B[a]), [n], 0.5)
        for a, n in zip(ANCHORS, given.negatives_C.tolist(), strict=True)
    ]
    assert value(RankNet(0.5), given) == pytest.approx(sum(parts) / 3, abs=1e-5)


def test_binary() -> None:
    given = scores()
    signed = [*given.positives_B.tolist(), *(2 * 0.1 - x for x in given.negatives_C.tolist())]
    parts = [math.log1p(math.exp(-(x - 0.1) / 0.5)) for x in signed]
    assert value(Binary(0.5, 0.1), given) == pytest.approx(sum(parts) / len(parts), abs=1e-5)


@pytest.mark.parametrize("loss", [Contrast(), Contrast(candidates="own"), RankNet(), Binary()])
def test_a_batch_without_negatives_has_a_finite_loss(loss: Loss) -> None:
    given = scores()
    assert given.every_BC is not None
    assert given.duplicates_BC is not None
    bare = replace(
        given,
        negatives_C=given.negatives_C[:0],
        anchors_T=given.anchors_T[:0],
        every_BC=given.every_BC[:, :B],
        duplicates_BC=given.duplicates_BC[:, :B],
        negatives_a_rank=0.0,
        triplets_a_rank=0.0,
    )
    assert math.isfinite(value(loss, bare))


LONE = (0.3, -0.2)
"""Scores of labelled pairs of label 0."""


def with_lone_negatives() -> PairScores:
    given = scores()
    negatives_C = torch.cat([given.negatives_C, torch.tensor(LONE)])
    return replace(given, negatives_C=negatives_C, negatives_a_rank=len(negatives_C))


def test_binary_learns_from_labelled_pairs_and_the_others_only_where_there_is_a_positive() -> None:
    given, more = scores(), with_lone_negatives()
    assert given.every_BC is not None
    for loss in (RankNet(), Contrast(), Contrast(candidates="own")):
        narrow = replace(more, every_BC=given.every_BC[:, :B], duplicates_BC=torch.zeros(B, B, dtype=torch.bool))
        wide = replace(given, every_BC=given.every_BC[:, :B], duplicates_BC=torch.zeros(B, B, dtype=torch.bool))
        assert value(loss, narrow) == value(loss, wide)
    parts = [math.log1p(math.exp(x)) for x in LONE]
    pairs = B + len(ANCHORS)
    expected = (value(Binary(), given) * pairs + sum(parts)) / (pairs + len(LONE))
    assert value(Binary(), more) == pytest.approx(expected, abs=1e-6)


def test_distilled_takes_the_teachers_word_and_the_label_where_it_has_none() -> None:
    given = scores()
    teacher = [2.0, -1.0, math.nan, 0.5, 0.0], [-3.0, math.nan, 1.0]
    found = value(
        Distilled(0.5, 0.1, teacher_temperature=2.0, hard=0.25),
        replace(given, teacher_positives_B=torch.tensor(teacher[0]), teacher_negatives_C=torch.tensor(teacher[1])),
    )
    pairs = [*zip(given.positives_B.tolist(), teacher[0], [1] * B, strict=True)]
    pairs += zip(given.negatives_C.tolist(), teacher[1], [0] * 3, strict=True)
    parts = []
    for score, said, label in pairs:
        target = label if math.isnan(said) else 0.75 / (1 + math.exp(-said / 2)) + 0.25 * label
        logit = (score - 0.1) / 0.5
        parts.append(math.log1p(math.exp(logit)) - target * logit)
    assert found == pytest.approx(sum(parts) / len(parts), abs=1e-5)


def test_distilled_with_labels_alone_is_binary() -> None:
    given = scores()
    nothing = torch.full((B,), math.nan)
    told = replace(given, teacher_positives_B=nothing, teacher_negatives_C=nothing[:3])
    assert value(Distilled(0.5, 0.1), told) == pytest.approx(value(Binary(0.5, 0.1), given), abs=1e-6)
    ones = replace(told, teacher_positives_B=torch.zeros(B), teacher_negatives_C=torch.zeros(3))
    assert value(Distilled(0.5, 0.1, hard=1.0), ones) == pytest.approx(value(Binary(0.5, 0.1), given), abs=1e-6)


@pytest.mark.parametrize("option", [{"hard": -0.1}, {"hard": 1.1}, {"teacher_temperature": 0.0}, {"temperature": 0.0}])
def test_distilled_refuses_what_is_no_share_or_temperature(option: dict[str, float]) -> None:
    with pytest.raises(UserError, match=f"model.loss.{next(iter(option))}"):
        Distilled(**option)
