"""Losses of pair scores against plain loops."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from compret.losses import Binary, Contrast, PairLoss, Pairwise
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
        anchors_C=torch.tensor(ANCHORS),
        every_BC=every,
        rows_B=torch.arange(B),
        duplicates_BC=duplicates,
        negatives_a_rank=len(ANCHORS),
    )


def softmax_loss(positive: float, others: list[float], temperature: float) -> float:
    return math.log(sum(math.exp((x - positive) / temperature) for x in [positive, *others]))


def value(loss: PairLoss, given: PairScores) -> float:
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
    only_positives = PairScores(**{**vars(given), "every_BC": given.every_BC[:, :B]})
    assert value(Contrast(0.5, "own"), only_positives) == pytest.approx(sum(parts) / B, abs=1e-5)


def test_pairwise() -> None:
    given = scores()
    parts = [
        softmax_loss(float(given.positives_B[a]), [n], 0.5)
        for a, n in zip(ANCHORS, given.negatives_C.tolist(), strict=True)
    ]
    assert value(Pairwise(0.5), given) == pytest.approx(sum(parts) / 3, abs=1e-5)


def test_binary() -> None:
    given = scores()
    signed = [*given.positives_B.tolist(), *(2 * 0.1 - x for x in given.negatives_C.tolist())]
    parts = [math.log1p(math.exp(-(x - 0.1) / 0.5)) for x in signed]
    assert value(Binary(0.5, 0.1), given) == pytest.approx(sum(parts) / len(parts), abs=1e-5)


def none_of(x: Tensor) -> Tensor:
    return x[:0]


@pytest.mark.parametrize("loss", [Contrast(), Contrast(candidates="own"), Pairwise(), Binary()])
def test_a_batch_without_negatives_has_a_finite_loss(loss: PairLoss) -> None:
    given = scores()
    assert given.every_BC is not None
    bare = PairScores(
        given.positives_B, none_of(given.negatives_C), none_of(given.anchors_C), given.every_BC[:, :B], given.rows_B,
        given.duplicates_BC[:, :B], 0.0,
    )  # fmt: skip
    assert math.isfinite(value(loss, bare))


def test_some_of_all_candidates_are_refused() -> None:
    with pytest.raises(UserError, match="needs loss.candidates own"):
        Contrast(others=3)
