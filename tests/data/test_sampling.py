"""MixedBatchSampler: laws of the batches it draws, and that the stream is a function of seed and place."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from compret.data.sampling import MixedBatchSampler, Place, Row
from compret.types import UserError

Batches = list[list[Row]]


def different(*sizes: int) -> list[NDArray[np.int64]]:
    """Keys of sources in which no anchor and no positive stands twice."""
    ends = np.cumsum(sizes)
    numbers = np.arange(ends[-1] * 2, dtype=np.int64).reshape(-1, 2)
    return np.split(numbers, ends[:-1])


def epoch_of(sampler: MixedBatchSampler) -> Batches:
    """One epoch's batches, taken as a loader takes them."""
    batches = []
    for batch in sampler:
        sampler.given()
        batches.append(batch)
    return batches


def endless(sampler: MixedBatchSampler) -> Iterator[tuple[list[Row], Place]]:
    """Batches, and where the sampler stands after each."""
    while True:
        for batch in sampler:
            sampler.given()
            yield batch, sampler.place


def stream(sampler: MixedBatchSampler, epochs: int) -> Batches:
    return [batch for _ in range(epochs) for batch in epoch_of(sampler)]


@dataclass(frozen=True)
class Case:
    """Arguments of a sampler whose sources hold many equal anchors and positives."""

    keys: list[NDArray[np.int64]]
    weights: list[float]
    batch_size: int
    world_size: int
    seed: int

    def sampler(self, rank: int = 0, **changes: Any) -> MixedBatchSampler:
        values = {**vars(self), "rank": rank, **changes}
        return MixedBatchSampler(**values)

    @property
    def whole(self) -> MixedBatchSampler:
        return self.sampler(batch_size=self.batch_size * self.world_size, world_size=1)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    rng = np.random.default_rng(draw(st.integers(0, 1 << 20)))
    keys = [
        np.stack([rng.integers(0, size + 9, size), rng.integers(0, 2 * size + 9, size)], axis=1)
        for size in draw(st.lists(st.integers(1, 40), min_size=1, max_size=3))
    ]
    even = draw(st.booleans())
    weights = [float(len(k)) if even else draw(st.floats(0.1, 3)) for k in keys]
    return Case(keys, weights, draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(0, 99)))


def lawful(function: Any) -> Any:
    return settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])(
        given(cases())(function)
    )


def drawn(sampler: MixedBatchSampler, epochs: int = 3) -> Batches:
    """The stream of the first epochs; cases that cannot be filled are left to another test."""
    try:
        return stream(sampler, epochs)
    except UserError:
        assume(False)
        raise


@lawful
def test_no_text_stands_in_two_rows_of_a_global_batch(case: Case) -> None:
    """In whichever role: (a, b) and (b, c) would make b a negative of itself."""
    for batch in drawn(case.whole):
        assert len(batch) == case.batch_size * case.world_size
        texts = Counter(text for source, row in batch for text in set(case.keys[source][row].tolist()))
        assert set(texts.values()) == {1}


@lawful
def test_ranks_slices_joined_are_the_batch_of_one_rank(case: Case) -> None:
    whole = drawn(case.whole)
    ranks = [stream(case.sampler(rank), 3) for rank in range(case.world_size)]
    assert {len(mine) for mine in ranks} == {len(whole)}
    for batch, *slices in zip(whole, *ranks, strict=True):
        assert all(len(mine) == case.batch_size for mine in slices)
        assert [row for mine in slices for row in mine] == batch
        assert len({row for mine in slices for row in mine}) == len(batch)


@lawful
def test_a_stream_resumed_anywhere_goes_on_as_it_was(case: Case) -> None:
    whole = drawn(case.sampler())
    per_epoch = len(case.sampler())
    for position in {0, 1, per_epoch - 1, per_epoch, per_epoch + 1, len(whole) // 2, len(whole) - 1}:
        sampler, killed = case.sampler(), endless(case.sampler())
        for _ in range(position):
            _, sampler.place = next(killed)
        rest: Batches = []
        while position + len(rest) < len(whole):
            rest += epoch_of(sampler)
        assert rest == whole[position:]


@lawful
def test_a_stream_resumed_on_other_ranks_goes_on_at_the_next_unseen_row(case: Case) -> None:
    drawn(case.whole)
    assume(case.keys and sum(map(len, case.keys)) >= 12)
    one, many = case.sampler(batch_size=1, world_size=1), case.sampler(batch_size=3, world_size=1)
    taken: list[Row] = []
    killed = endless(one)
    for _ in range(7):
        batch, many.place = next(killed)
        taken += batch
    try:
        taken += [row for batch in stream(many, 2) for row in batch]
    except UserError:
        assume(False)
    assume(not many._told)
    held = len(many.place.waiting)
    assert many.place.taken == len(taken) + held
    plain = itertools.islice(case.sampler()._rows(0), len(taken) + held)
    assert Counter(plain) == Counter(taken) + Counter(many.place.waiting)


@lawful
def test_the_length_is_the_number_of_batches_of_an_epoch(case: Case) -> None:
    drawn(case.whole)
    sampler = case.sampler()
    rows = sum(map(len, case.keys))
    assert len(sampler) == max(1, rows // sampler.global_batch)
    assert [len(epoch_of(sampler)) for _ in range(3)] == [len(sampler)] * 3
    batches = iter(sampler)
    next(batches)
    sampler.given()
    assert len(sampler) == max(1, rows // sampler.global_batch)
    assert len(list(sampler)) == len(sampler) - 1 or len(sampler) == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 30), st.floats(0.05, 1)), min_size=1, max_size=4),
    st.integers(0, 99),
)
def test_sources_stand_in_an_epochs_rows_in_exact_proportion(sources: list[tuple[int, float]], seed: int) -> None:
    keys = different(*(size for size, _ in sources))
    weights = [weight for _, weight in sources]
    sampler = MixedBatchSampler(keys, weights, 1, seed, allow_duplicates=True)
    for _ in range(3):
        batches = epoch_of(sampler)
        counts = Counter(source for batch in batches for source, _ in batch)
        slots = len(sampler)
        assert sum(counts.values()) == slots
        for source, weight in enumerate(weights):
            assert abs(counts[source] - slots * weight / sum(weights)) < 1 + 1e-9


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("weights", [[0.7, 0.3], [0.25, 0.75], [2.0, 3.0]])
def test_the_proportion_is_exact_without_duplicates_too(seed: int, weights: list[float]) -> None:
    sampler = MixedBatchSampler(different(200, 300), weights, 10, seed)
    for _ in range(4):
        counts = Counter(source for batch in epoch_of(sampler) for source, _ in batch)
        assert [counts[0], counts[1]] == [round(500 * weight / sum(weights)) for weight in weights]


def test_a_source_of_weight_zero_is_never_drawn_and_may_be_empty() -> None:
    sampler = MixedBatchSampler([*different(12, 8), np.empty((0, 2), dtype=np.int64)], [1, 0, 0], 4, 0)
    assert len(sampler) == 3
    assert {source for batch in stream(sampler, 3) for source, _ in batch} == {0}


@pytest.mark.parametrize(("first", "second"), [(0, 1), (1, 2), (0, 7)])
def test_seeds_and_epochs_differ(first: int, second: int) -> None:
    samplers = [MixedBatchSampler(different(40, 20), [2, 1], 5, seed) for seed in (first, first, second)]
    one, same, other = ([epoch_of(sampler) for _ in range(3)] for sampler in samplers)
    assert one == same
    assert one[0] != other[0]
    assert len({str(epoch) for epoch in one}) == 3
    assert len({str([source for batch in epoch for source, _ in batch]) for epoch in one}) == 3


def test_each_pass_over_each_source_has_an_order_of_its_own() -> None:
    sampler = MixedBatchSampler(different(30, 30), [1, 1], 5, 0)
    rows = [row for epoch in range(3) for batch in epoch_of(sampler) for row in batch]
    orders = [[row for of, row in rows if of == source] for source in (0, 1)]
    passes = [order[start : start + 30] for order in orders for start in (0, 30, 60)]
    assert [sorted(one) for one in passes] == [list(range(30))] * 6
    assert len(set(map(tuple, passes))) == 6


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=3), st.integers(1, 7), st.integers(0, 99))
def test_each_row_comes_about_once_an_epoch(sizes: list[int], batch_size: int, seed: int) -> None:
    sampler = MixedBatchSampler(different(*sizes), sizes, batch_size, seed, allow_duplicates=True)
    epochs = 6
    counts = Counter(row for batch in stream(sampler, epochs) for row in batch)
    for source, size in enumerate(sizes):
        found = [counts[source, row] for row in range(size)]
        assert max(found) - min(found) <= 1
        assert abs(sum(found) / epochs - sampler.global_batch * len(sampler) * size / sum(sizes)) < 1 + 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_no_row_is_dropped_for_ever_when_anchors_are_shared(seed: int) -> None:
    rng = np.random.default_rng(seed)
    keys = [np.stack([rng.integers(0, 30, 100), rng.integers(0, 60, 100)], 1), np.array([[i, i] for i in range(50)])]
    epochs = 12
    counts = Counter(row for batch in stream(MixedBatchSampler(keys, [2, 1], 8, seed), epochs) for row in batch)
    found = [counts[source, row] for source, k in enumerate(keys) for row in range(len(k))]
    assert min(found) >= epochs // 2
    assert max(found) <= epochs + epochs // 2


def test_a_large_weight_repeats_a_source_evenly_and_a_small_one_goes_on() -> None:
    sampler = MixedBatchSampler(different(10, 90), [0.5, 0.5], 5, 3, allow_duplicates=True)
    first, second = epoch_of(sampler), epoch_of(sampler)
    counts = Counter(row for batch in first for source, row in batch if source == 0)
    assert set(counts.values()) == {5}
    seen, then = ({row for batch in epoch for source, row in batch if source == 1} for epoch in (first, second))
    assert len(seen) == 50
    assert seen | then == set(range(90))


def test_a_source_too_small_for_its_weight_is_told_and_does_not_stop_a_fit(caplog: pytest.LogCaptureFixture) -> None:
    """Half of the rows would be the same one, of which a batch has one: a fit goes on, without its repeats."""
    sampler = MixedBatchSampler(different(1, 60), [1, 1], 8, 0)
    batches = stream(sampler, 20)
    assert caplog.text.count("source 0 has too few rows for its weight") == 1
    assert len(sampler.place.waiting) <= 61
    assert all(len(set(batch)) == 8 for batch in batches)
    assert sum((0, 0) in batch for batch in batches) > 0.9 * len(batches)


def test_of_rows_that_wait_too_long_the_oldest_stay() -> None:
    """All rows of source 0 share an anchor: a batch takes one, and the others wait in the order of the stream."""
    one_anchor = np.stack([np.full(9, 500), np.arange(600, 609)], axis=1)
    sampler = MixedBatchSampler([one_anchor, *different(60)], [1, 1], 8, 0)
    before: list[Row] = []
    dropped = False
    for _, place in itertools.islice(endless(sampler), 60):
        new = list(place.waiting)
        if len(new) < len(before) - 1:
            dropped = True
            assert new == before[1 : len(new) + 1]
        before = new
    assert dropped


@pytest.mark.parametrize("column", [0, 1])
def test_a_batch_that_cannot_be_filled_is_an_error(column: int) -> None:
    keys = different(50)[0]
    keys[:, column] %= 3
    with pytest.raises(UserError, match="batch_size 8: too few different anchors and positives"):
        list(MixedBatchSampler([keys], [1], 4, 0, world_size=2))
    assert len(list(MixedBatchSampler([keys], [1], 4, 0, world_size=2, allow_duplicates=True))) == 6


def test_fewer_rows_than_a_batch_is_an_error_not_an_endless_loop() -> None:
    with pytest.raises(UserError, match="lower data.batch_size"):
        list(MixedBatchSampler(different(5), [1], 6, 0))
    assert [len(batch) for batch in MixedBatchSampler(different(5), [1], 5, 0)] == [5]
