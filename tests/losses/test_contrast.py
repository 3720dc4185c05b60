"""Contrast against sentence-transformers' MultipleNegativesRankingLoss and plain loops."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from compret.losses import Contrast, own_texts
from compret.types import PairScores, UserError


def vectors(count: int, seed: int, width: int = 12) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def plainly(anchors: Tensor, candidates: Tensor, temperature: float) -> float:
    """Mean over anchors of -log softmax, one cosine at a time."""
    total = 0.0
    for i, anchor in enumerate(anchors):
        scores = [float(anchor @ c / anchor.norm() / c.norm()) / temperature for c in candidates]
        total += math.log(sum(math.exp(s) for s in scores)) - scores[i]
    return total / len(anchors)


def scores(
    anchors: Tensor, candidates: Tensor, rows: Tensor, duplicates: Tensor | None = None, reverse: Tensor | None = None
) -> PairScores:
    """Cosines of some rows' anchors with the candidates, and of their positives with all anchors; no negative is own.

    Args:
        duplicates, reverse: which candidates and which anchors are texts of the row; none if not given.
    """
    unit_anchors, unit_candidates = F.normalize(anchors), F.normalize(candidates)
    every, backward = unit_anchors[rows] @ unit_candidates.T, unit_candidates[rows] @ unit_anchors.T
    return PairScores(
        positives_B=every.gather(1, rows.unsqueeze(1)).squeeze(1),
        negatives_C=every.new_zeros(0),
        anchors_T=rows[:0],
        positives_a_rank=len(rows),
        negatives_a_rank=0.0,
        triplets_a_rank=0.0,
        rows_B=rows,
        every_BC=every,
        duplicates_BC=torch.zeros_like(every, dtype=torch.bool) if duplicates is None else duplicates,
        reverse_BA=backward,
        duplicates_BA=torch.zeros_like(backward, dtype=torch.bool) if reverse is None else reverse,
    )


def loss(anchors: Tensor, candidates: Tensor, duplicates: Tensor | None = None, **options: Any) -> Tensor:
    found = scores(anchors, candidates, torch.arange(len(anchors)), duplicates)
    return Contrast(**options)(found if options.get("symmetric") else replace(found, reverse_BA=None))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 7), st.integers(0, 6), st.sampled_from([0.02, 0.1, 1.0]))
def test_it_is_the_cross_entropy_of_a_plain_loop(size: int, negatives: int, temperature: float) -> None:
    anchors, candidates = vectors(size, 0), vectors(size + negatives, 1)
    got = loss(anchors, candidates, temperature=temperature)
    assert float(got) == pytest.approx(plainly(anchors, candidates, temperature), rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("directions", ["query_to_doc", "both"])
def test_it_is_the_loss_of_sentence_transformers(directions: str) -> None:
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    anchors, positives, negatives = (vectors(6, seed) for seed in range(3))
    if directions == "query_to_doc":
        peer = MultipleNegativesRankingLoss(torch.nn.Identity(), scale=10.0)  # type: ignore[arg-type]
        expected = peer.compute_loss_from_embeddings([anchors, positives, negatives], torch.zeros(6))
        got = loss(anchors, torch.cat([positives, negatives]), temperature=0.1)
    else:
        expected = torch.tensor((plainly(anchors, positives, 0.1) + plainly(positives, anchors, 0.1)) / 2)
        got = loss(anchors, positives, temperature=0.1, symmetric=True)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-6)


def test_a_candidate_that_equals_the_positive_is_no_negative() -> None:
    anchors, positives = vectors(4, 0), vectors(4, 1)
    positives[2] = positives[1]
    duplicates = torch.zeros(4, 4, dtype=torch.bool)
    duplicates[1, [1, 2]] = duplicates[2, [1, 2]] = True
    masked = loss(anchors, positives, duplicates, temperature=0.1)
    by_hand = [plainly(anchors[[i]], positives[[i, *(j for j in range(4) if j not in (i, *skip))]], 0.1)
               for i, skip in enumerate([(), (2,), (1,), ()])]  # fmt: skip
    assert float(masked) == pytest.approx(sum(by_hand) / 4, rel=1e-5)
    assert float(loss(anchors, positives, duplicates, temperature=0.1, mask_duplicates=False)) > float(masked)


def test_a_pair_and_its_mirror_image_are_no_negatives_of_each_other() -> None:
    """(a, b), (b, a), (c, d): to a, the second row's positive is a itself; to b the first row's is b."""
    texts = vectors(4, 0)
    anchors, positives = texts[[0, 1, 2]], texts[[1, 0, 3]]
    anchor_keys, positive_keys = torch.tensor([7, 8, 9]), torch.tensor([8, 7, 10])
    masks = [own_texts(anchor_keys, positive_keys, keys) for keys in (positive_keys, anchor_keys)]
    rows = torch.arange(3)
    got = Contrast(temperature=0.1, symmetric=True)(scores(anchors, positives, rows, *masks))
    forward = [plainly(anchors[[i]], positives[[i, *others]], 0.1) for i, others in ((0, [2]), (1, [2]), (2, [0, 1]))]
    backward = [plainly(positives[[i]], anchors[[i, *others]], 0.1) for i, others in ((0, [2]), (1, [2]), (2, [0, 1]))]
    assert float(got) == pytest.approx(sum(forward + backward) / 6, rel=1e-5)
    assert own_texts(anchor_keys, positive_keys, positive_keys.expand(3, -1)).equal(masks[0])


def test_a_ranks_rows_are_its_share_of_the_whole() -> None:
    """The mean of two ranks' losses is one process's loss, and so are the gradients."""
    anchors, candidates = vectors(6, 0).requires_grad_(), vectors(10, 1).requires_grad_()
    whole = Contrast(symmetric=True)(scores(anchors, candidates, torch.arange(6)))
    shares = [replace(scores(anchors, candidates, rows), positives_a_rank=3) for rows in torch.arange(6).split([4, 2])]
    parts = [Contrast(symmetric=True)(share) for share in shares]
    expected = torch.autograd.grad(whole, [anchors, candidates], retain_graph=True)
    got = torch.autograd.grad((parts[0] + parts[1]) / 2, [anchors, candidates])
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-7)


def test_a_rank_without_a_positive_has_no_loss() -> None:
    anchors, candidates = vectors(3, 0).requires_grad_(), vectors(5, 1)
    none = Contrast(symmetric=True)(scores(anchors, candidates, torch.arange(0)))
    assert float(none.detach()) == 0
    assert torch.equal(torch.autograd.grad(none, anchors)[0], torch.zeros_like(anchors))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"others": 3}, "needs loss.candidates own"),
        ({"others": -1, "candidates": "own"}, "model.loss.others -1: at least 0"),
        ({"others": 3, "candidates": "own", "symmetric": True}, "leave loss.others out"),
        ({"temperature": 0.0}, "model.loss.temperature 0.0: above 0"),
        ({"temperature": math.inf}, "model.loss.temperature inf: above 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told):
        Contrast(**options)
