"""InfoNCE against sentence-transformers' MultipleNegativesRankingLoss and a plain loop."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from compret.losses import InfoNCE, own_texts


def vectors(count: int, seed: int, width: int = 12) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def plainly(anchors: Tensor, candidates: Tensor, temperature: float) -> float:
    """Mean over anchors of -log softmax, one cosine at a time."""
    total = 0.0
    for i, anchor in enumerate(anchors):
        scores = [float(anchor @ c / anchor.norm() / c.norm()) / temperature for c in candidates]
        total += math.log(sum(math.exp(s) for s in scores)) - scores[i]
    return total / len(anchors)


def loss(anchors: Tensor, candidates: Tensor, duplicates: Tensor | None = None, **options: object) -> Tensor:
    none = torch.zeros(len(anchors), len(candidates), dtype=torch.bool)
    rows = torch.arange(len(anchors))
    duplicates = none if duplicates is None else duplicates
    return InfoNCE(**options)(anchors, candidates, rows, duplicates, none[:, : len(anchors)])  # type: ignore[arg-type]


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
    got = InfoNCE(temperature=0.1, symmetric=True)(anchors, positives, rows, *masks)
    forward = [plainly(anchors[[i]], positives[[i, *others]], 0.1) for i, others in ((0, [2]), (1, [2]), (2, [0, 1]))]
    backward = [plainly(positives[[i]], anchors[[i, *others]], 0.1) for i, others in ((0, [2]), (1, [2]), (2, [0, 1]))]
    assert float(got) == pytest.approx(sum(forward + backward) / 6, rel=1e-5)
    assert own_texts(anchor_keys, positive_keys, positive_keys.expand(3, -1)).equal(masks[0])


def test_a_ranks_rows_are_its_share_of_the_whole() -> None:
    """The mean of two ranks' losses is one process's loss, and so are the gradients."""
    anchors, candidates = vectors(6, 0).requires_grad_(), vectors(10, 1).requires_grad_()
    none = torch.zeros(6, 10, dtype=torch.bool)
    whole = loss(anchors, candidates)
    halves = [InfoNCE()(anchors, candidates, rows, none[rows], none[rows, :6]) for rows in torch.arange(6).split(3)]
    expected = torch.autograd.grad(whole, [anchors, candidates], retain_graph=True)
    got = torch.autograd.grad((halves[0] + halves[1]) / 2, [anchors, candidates])
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-7)


def test_norms_do_not_matter() -> None:
    anchors, candidates = vectors(3, 0), vectors(5, 1)
    torch.testing.assert_close(loss(anchors * 7, candidates * 0.1), loss(anchors, candidates))
