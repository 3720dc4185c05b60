"""Verifiers against slow, plain references, one pair at a time; and the laws that all of them keep."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from compret.nn.pair_scoring import TokenStates, joined, score_all, score_pairs, token_states
from compret.nn.simmap import SimilarityMaps
from compret.nn.verifiers import (
    ConditionalPenalty,
    MapCNN,
    MapTransformer,
    MaxSim,
    MeanMap,
    PooledCosine,
    Residual,
    SoftAlignment,
    Verifier,
)
from compret.types import Encoded, UserError

D = 8
Make = Callable[[], Verifier]
VERIFIERS: dict[str, Make] = {
    "none": PooledCosine,
    "mean": MeanMap,
    "maxsim": MaxSim,
    "soft": lambda: SoftAlignment(band=3, monotone=0.5),
    "cnn": lambda: MapCNN((4, 6), 5),
    "transformer": lambda: MapTransformer(8, 2, 2, 16, patch=2, max_length=32),
    "residual": lambda: Residual(MapTransformer(16, 1, 2, 32, dropout=0.0), SoftAlignment(), 0.2),
    "penalty": lambda: ConditionalPenalty(MeanMap(), base="maxsim", threshold=0.3),
}
QUIET = settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])


def make(name: str) -> Verifier:
    torch.manual_seed(0)
    verifier = VERIFIERS[name]().eval()
    with torch.no_grad():
        for parameter in verifier.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return verifier


def states(*lengths: int, seed: int = 0) -> TokenStates:
    generator = torch.Generator().manual_seed(seed)
    tokens = [torch.randn(length, D, generator=generator) for length in lengths]
    pooled = torch.stack([t.mean(0) for t in tokens])
    return TokenStates(F.normalize(torch.cat(tokens), dim=1), lengths, F.normalize(pooled, dim=1))


def one(all_states: TokenStates, row: int) -> tuple[Tensor, Tensor]:
    start = all_states.starts[row]
    return all_states.unit_TD[start : start + all_states.lengths[row]], all_states.pooled_BD[row]


def alone(verifier: Verifier, a: tuple[Tensor, Tensor], c: tuple[Tensor, Tensor], padding: int = 0) -> float:
    """The score of one pair as a batch of one, perhaps with padding."""
    cells = F.pad(a[0] @ c[0].T, (0, padding, 0, padding))
    masks = (torch.arange(len(x) + padding) < len(x) for x in (a[0], c[0]))
    with torch.no_grad():
        maps = SimilarityMaps(cells[None], *(mask[None] for mask in masks), (a[1] @ c[1])[None])
        return float(verifier(maps))


def plain_mean(cells: list[list[float]]) -> float:
    return sum(map(sum, cells)) / (len(cells) * len(cells[0]))


def plain_maxsim(cells: list[list[float]]) -> float:
    return sum(max(row) for row in cells) / len(cells)


def plain_soft(cells: list[list[float]], band: int | None = None, monotone: float = 0.0) -> float:
    total, places = 0.0, []
    for i, row in enumerate(cells):
        nearest = min(abs(i - j) for j in range(len(row)))
        weights = [
            math.exp((cell - 0.1 * abs(i - j)) / 0.1) if band is None or abs(i - j) - nearest <= band else 0.0
            for j, cell in enumerate(row)
        ]
        total += sum(w * c for w, c in zip(weights, row, strict=True)) / sum(weights)
        places.append(sum(w * j for j, w in enumerate(weights)) / sum(weights))
    back = [max(0.0, a - b) for a, b in itertools.pairwise(places)]
    return total / len(cells) - monotone * (sum(back) / len(back) if back else 0.0)


@pytest.mark.parametrize(
    ("verifier", "plain"),
    [
        (MeanMap(), plain_mean),
        (MaxSim(), plain_maxsim),
        (SoftAlignment(), plain_soft),
        (SoftAlignment(band=2), lambda cells: plain_soft(cells, 2)),
        (SoftAlignment(monotone=0.7), lambda cells: plain_soft(cells, None, 0.7)),
    ],
    ids=["mean", "maxsim", "soft", "band", "monotone"],
)
def test_scores_are_those_of_plain_loops(verifier: Verifier, plain: Callable[[list[list[float]]], float]) -> None:
    queries, candidates = states(1, 3, 9, 5), states(7, 2, 1, seed=1)
    scores = score_all(verifier, queries, candidates)
    for i in range(4):
        for j in range(3):
            cells = (one(queries, i)[0] @ one(candidates, j)[0].T).tolist()
            assert float(scores[i, j]) == pytest.approx(plain(cells), abs=1e-5)


def test_maxsim_is_that_of_sentence_transformers() -> None:
    from sentence_transformers.util import maxsim

    queries, candidates = states(3, 9, 5), states(7, 2, seed=1)
    tokens = [[one(s, row)[0] for row in range(len(s))] for s in (queries, candidates)]
    expected = maxsim(*tokens, length_normalize=True)
    torch.testing.assert_close(score_all(MaxSim(), queries, candidates), expected, rtol=1e-5, atol=1e-6)


class Always(Verifier):
    """One score for every pair."""

    def __init__(self, score: float) -> None:
        super().__init__(score=score)
        self.score = score

    def forward(self, maps: SimilarityMaps) -> Tensor:
        return torch.full_like(maps.cosine_P, self.score)


def test_the_penalty_is_its_formula() -> None:
    query, candidate = states(4, 6), states(5, 3, seed=1)
    base, raw = (score_pairs(v, query, candidate) for v in (PooledCosine(), MeanMap()))
    expected = base - 0.5 * torch.sigmoid(20 * (base - 0.2)) * (1 - raw.clamp(0, 1))
    got = score_pairs(ConditionalPenalty(MeanMap(), 0.5, 0.2), query, candidate)
    torch.testing.assert_close(got, expected)
    for score, cut in ((5.0, 1.0), (0.3, 0.3), (-5.0, 0.0)):
        expected = base - 0.5 * torch.sigmoid(20 * (base - 0.2)) * (1 - cut)
        got = score_pairs(ConditionalPenalty(Always(score), 0.5, 0.2), query, candidate)
        torch.testing.assert_close(got, expected)


def plain_cnn(net: MapCNN, cells: Tensor) -> float:
    """One map, no masks: convolution, norm, ReLU, maximum, mean."""
    rows, columns = cells.amax(1, keepdim=True), cells.amax(0, keepdim=True)
    x = torch.stack([cells, rows.expand_as(cells), columns.expand_as(cells)])
    for convolution, norm in zip(net.convolutions, net.norms, strict=True):
        x = F.conv2d(x[None], convolution.weight, convolution.bias, padding=1)[0]
        x = F.layer_norm(x.permute(1, 2, 0), (x.shape[0],), norm.weight, norm.bias).permute(2, 0, 1).relu()
        x = torch.stack(
            [x[:, i : i + 2, j : j + 2].amax((1, 2)) for i in range(0, x.shape[1], 2) for j in range(0, x.shape[2], 2)],
            1,
        ).unflatten(1, (-(-x.shape[1] // 2), -(-x.shape[2] // 2)))
    first, _, _, last = net.head
    return float(last(first(x.mean((1, 2))).relu()))


def plain_transformer(net: MapTransformer, cells: Tensor) -> float:
    """One map, no masks, one head at a time."""
    p = net.patch
    rows, columns = cells.amax(1, keepdim=True), cells.amax(0, keepdim=True)
    image = torch.stack([cells, rows.expand_as(cells), columns.expand_as(cells)])
    image = F.pad(image, (0, -cells.shape[1] % p, 0, -cells.shape[0] % p))
    tokens = [net.first[0, 0]]
    for r in range(image.shape[1] // p):
        for c in range(image.shape[2] // p):
            cut = image[:, r * p : r * p + p, c * p : c * p + p].flatten()
            tokens.append(net.embed(cut) + net.places[0][r] + net.places[1][c])
    x = net.norm(torch.stack(tokens))
    for layer in net.layers:
        q, k, v = layer.project(layer.norms[0](x)).chunk(3, -1)
        size = q.shape[1] // layer.heads
        heads = []
        for h in range(layer.heads):
            cut = slice(h * size, h * size + size)
            heads.append((q[:, cut] @ k[:, cut].T / math.sqrt(size)).softmax(-1) @ v[:, cut])
        x = x + layer.out(torch.cat(heads, 1))
        x = x + layer.feedforward(layer.norms[1](x))
    return float(net.head(x[0]))


@pytest.mark.parametrize(("name", "plain"), [("cnn", plain_cnn), ("transformer", plain_transformer)])
def test_trained_verifiers_are_those_of_plain_loops(name: str, plain: Callable[[Any, Tensor], float]) -> None:
    verifier = make(name)
    queries, candidates = states(1, 3, 9, 6), states(7, 2, 1, 8, seed=1)
    with torch.no_grad():
        scores = score_all(verifier, queries, candidates)
        for i in range(4):
            for j in range(4):
                expected = plain(verifier, one(queries, i)[0] @ one(candidates, j)[0].T)
                assert float(scores[i, j]) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", VERIFIERS)
@QUIET
@given(
    lengths=st.lists(st.integers(1, 12), min_size=2, max_size=6),
    padding=st.integers(0, 9),
    budget=st.sampled_from([1, 3000, 10**8]),
)
def test_a_score_depends_on_its_pair_alone(name: str, lengths: list[int], padding: int, budget: int) -> None:
    """Neither padding nor the other pairs, neither their order nor the blocks change it."""
    verifier = make(name)
    queries, candidates = states(*lengths), states(*reversed(lengths), seed=1)
    with torch.no_grad():
        everything = score_all(verifier, queries, candidates, budget)
        aligned = score_pairs(verifier, queries, candidates, budget=budget)
    for row in range(len(lengths)):
        expected = alone(verifier, one(queries, row), one(candidates, row), padding)
        assert float(everything[row, row]) == pytest.approx(expected, abs=2e-5)
        assert float(aligned[row]) == pytest.approx(expected, abs=2e-5)


@pytest.mark.parametrize("name", ["none", "maxsim"])
def test_identical_texts_score_highest(name: str) -> None:
    texts = states(3, 9, 5, 7)
    scores = score_all(make(name), texts, texts)
    assert (scores.argmax(1) == torch.arange(4)).all()
    torch.testing.assert_close(scores.diagonal(), torch.ones(4))


@pytest.mark.parametrize(
    ("name", "changes"), [("mean", False), ("maxsim", False), ("soft", True), ("cnn", True), ("transformer", True)]
)
def test_who_sees_the_order_of_tokens(name: str, changes: bool) -> None:
    verifier = make(name)
    query, candidate = one(states(8), 0), one(states(9, seed=1), 0)
    turned = (candidate[0].flip(0), candidate[1])
    moved = abs(alone(verifier, query, candidate) - alone(verifier, query, turned))
    assert (moved > 1e-4) == changes


@pytest.mark.parametrize(
    ("verifier", "parameters"),
    [
        (MapCNN((128, 256), 128, norm="batch", grid=128, bounded=True), 332_545),
        (MapTransformer(384, 1, 1, 32, patch=8, grid=128, bounded=True), 940_065),
        (MapTransformer(768, 1, 1, 32, patch=8, grid=128, bounded=True), 3_354_657),
    ],
)
def test_the_papers_variants_have_its_parameters(verifier: nn.Module, parameters: int) -> None:
    assert sum(p.numel() for p in verifier.parameters()) == parameters
    with torch.no_grad():
        scores = score_all(verifier.eval(), states(5, 9), states(3, 6, seed=1))  # type: ignore[arg-type]
    assert scores.abs().max() < 1
    with pytest.raises((UserError, ValueError), match="128"):
        score_all(verifier, states(129), states(3))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["soft", "cnn", "transformer"])
def test_blocks_change_no_gradient(name: str) -> None:
    gradients = []
    for budget in (1, 10**8):
        verifier, queries, candidates = make(name), states(3, 9, 5), states(7, 2, 4, seed=1)
        queries.unit_TD.requires_grad_()
        score_all(verifier, queries, candidates, budget).square().sum().backward()
        gradients.append([queries.unit_TD.grad, *(p.grad for p in verifier.parameters())])
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["paper_cnn", "paper_transformer", "cnn", "transformer", "residual", "penalty"])
def test_blocks_keep_to_the_budget(name: str) -> None:
    """Also where each map is padded to a grid, whatever the length of the texts."""
    padded: dict[str, Make] = {
        "paper_cnn": lambda: MapCNN((4, 8), 4, norm="batch", grid=32),
        "paper_transformer": lambda: Residual(MapTransformer(8, 1, 1, 8, patch=8, grid=32)),
    }
    verifier = padded[name]() if name in padded else make(name)
    blocks: list[int] = []

    def count(module: nn.Module, inputs: tuple[SimilarityMaps]) -> None:
        pairs, m, n = inputs[0].map_PMN.shape
        blocks.append(pairs * verifier.floats(m, n))

    verifier.register_forward_pre_hook(count)
    queries, candidates = states(*range(1, 20)), states(*range(20, 1, -1), seed=1)
    budget = 7 * verifier.floats(20, 20)
    with torch.no_grad():
        score_all(verifier.eval(), queries, candidates, budget)
        score_pairs(verifier, queries, candidates, budget=budget)
    assert len(blocks) > 10
    assert max(blocks) <= budget
    assert max(blocks) > budget / 4
    assert verifier.floats(3, 17) ** 2 <= verifier.floats(3, 3) * verifier.floats(17, 17)


@pytest.mark.parametrize(
    "build",
    [
        MaxSim,
        lambda: SoftAlignment(band=3, monotone=0.5),
        MapCNN,
        lambda: MapCNN((4, 8), 4, norm="batch", grid=48),
        lambda: MapTransformer(32, 2, 2, 64, patch=4),
        lambda: MapTransformer(32, 1, 1, 8, patch=8, grid=48),
        lambda: Residual(MapTransformer(32, 1, 2, 32), SoftAlignment()),
        lambda: ConditionalPenalty(MapCNN()),
    ],
    ids=["maxsim", "soft", "cnn", "grid cnn", "transformer", "grid transformer", "residual", "penalty"],
)
def test_a_pair_takes_about_the_floats_that_its_verifier_says(build: Make) -> None:
    """As autograd counts what it keeps for the backward pass, beside the weights."""
    verifier, pairs, m, n = build().train(), 8, 40, 24
    weights, kept = {p.data_ptr() for p in verifier.parameters()}, {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    masks = torch.ones(pairs, m, dtype=torch.bool), torch.ones(pairs, n, dtype=torch.bool)
    maps = SimilarityMaps(torch.rand(pairs, m, n).requires_grad_(), *masks, torch.rand(pairs))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        score_P = verifier(maps)
    measured = sum(storage.nbytes() for storage in kept.values()) / 4 / pairs
    assert len(score_P) == pairs
    assert measured / 1.4 < verifier.floats(m, n) < measured * 6


def test_batch_norm_sees_each_batch_once() -> None:
    """What is recomputed in the backward pass is no second batch."""
    once, twice = (MapCNN((4, 8), 4, norm="batch", dropout=0.0).train() for _ in range(2))
    twice.load_state_dict(once.state_dict())
    queries, candidates = states(5, 6), states(7, 7, seed=1)
    with torch.no_grad():
        score_pairs(once, queries, candidates)
    score_pairs(twice, queries, candidates).sum().backward()
    for name, value in once.state_dict().items():
        torch.testing.assert_close(twice.state_dict()[name], value, msg=name)
    assert once.norms[0].num_batches_tracked == 1  # type: ignore[union-attr]


def test_states_of_passes_are_those_of_texts() -> None:
    tokens, mask = torch.randn(3, 5, D), torch.arange(5) < torch.tensor([[2], [5], [1]])
    whole = token_states(Encoded(tokens, mask.long(), torch.randn(3, D)), [(0, 2), (0, 5), (0, 1)])
    torch.testing.assert_close(whole.unit_TD, F.normalize(tokens[mask], dim=1))
    parts = joined([whole[[2, 0]], whole[[1]]])
    torch.testing.assert_close(parts[[1, 2, 0]].unit_TD, whole.unit_TD)
    assert parts[[1, 2, 0]].lengths == whole.lengths
