"""Triplets: the split by anchor, random negatives, weights, shares of ranks, and a loader that goes on where it was."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compret.data import NanoBEIR, NearMissPairs, Triplets
from compret.data.collate import text_key
from compret.data.labels import Stratum
from compret.data.row_loader import ResumableLoader, TripletRows
from compret.data.triplet_source import TripletSource
from compret.evaluation.suite import Suite
from compret.nn.tokenizer import TextTokenizer
from compret.types import TripletBatch, UserError

pytestmark = pytest.mark.usefixtures("fresh_cache")

Make = Callable[..., Triplets]
PARTS = ("anchor_keys_B", "positive_keys_P", "negative_keys_C", "anchor_rows_B", "positive_rows_P", "negative_rows_C")


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def numbered(path: Path, anchors: int, each: int = 1, **more: str) -> str:
    """Rows of `anchors` anchors, `each` rows an anchor, every positive different."""
    rows = [
        {"anchor": f"the dog {i}", "positive": f"{path.stem} cat {i} {j}"} for j in range(each) for i in range(anchors)
    ]
    return write(path, [{**row, **more} for row in rows])


@pytest.fixture
def make(tiny: Path) -> Make:
    """Triplets that are set up, beside a trainer that has the tiny model's tokenizer."""

    def made(files: list[str], **options: Any) -> Triplets:
        data = Triplets(files, **{"batch_size": 4, "workers": 0, **options})
        tokenizer = TextTokenizer(tiny, 32, {"query": "", "document": ""})
        data.trainer = SimpleNamespace(lightning_module=SimpleNamespace(encoder=SimpleNamespace(tokenizer=tokenizer)))  # type: ignore[assignment]
        data.setup("fit")
        return data

    return made


@pytest.fixture
def as_rank(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Make the data believe that it is on this rank of so many."""

    def set_rank(rank: int, world_size: int) -> None:
        monkeypatch.setattr("compret.data.triplets.rank", lambda: rank)
        monkeypatch.setattr("compret.data.triplets.world_size", lambda: world_size)

    return set_rank


def rows_of(loader: Any) -> list[dict[str, Any]]:
    """Rows of a loader of TripletRows, before they are collated."""
    return [row for batch in loader.batch_sampler for row in loader.dataset.__getitems__(batch)]


def same(one: TripletBatch, other: TripletBatch) -> bool:
    return all(torch.equal(getattr(one, part), getattr(other, part)) for part in PARTS) and all(
        torch.equal(a.ids_BM, b.ids_BM) for a, b in zip(one.passes, other.passes, strict=True)
    )


def epochs_of(loader: ResumableLoader) -> Iterator[TripletBatch]:
    while True:
        yield from loader


def parts_of(data: Triplets) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows to train on, over one epoch in which each stands once, and the held-out rows."""
    validation = data.val_dataloader()
    return rows_of(data.train_dataloader()), rows_of(validation[0]) if validation else []


@pytest.mark.parametrize("holdout", [0.1, 0.5, 0.9])
def test_all_rows_of_an_anchor_are_on_one_side_in_every_source(make: Make, tmp_path: Path, holdout: float) -> None:
    files = [numbered(tmp_path / "a.jsonl", 40, 3), numbered(tmp_path / "b.jsonl", 60, 2)]
    data = make(files, holdout=holdout, batch_size=1, allow_duplicates=True)
    train, held_out = parts_of(data)
    assert not {row["anchor"] for row in train} & {row["anchor"] for row in held_out}
    assert len(train) + len(held_out) == 40 * 3 + 60 * 2
    assert len({(row["anchor"], row["positive"]) for row in train + held_out}) == len(train) + len(held_out)
    assert abs(len({row["anchor"] for row in held_out}) / 60 - holdout) < 0.2


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(-30, 30), min_size=1, max_size=40), st.floats(0, 0.99), st.integers(0, 1 << 40))
def test_the_side_depends_on_the_anchor_and_the_seed_alone(anchors: list[int], holdout: float, seed: int) -> None:
    source = object.__new__(TripletSource)
    source.keys = np.array([[text_key(f"anchor {a}"), row] for row, a in enumerate(anchors)])
    source.usable = np.ones(len(anchors), dtype=bool)
    train, held_out = (set(rows.tolist()) for rows in source.split(holdout, seed))
    assert train | held_out == set(range(len(anchors)))
    assert not {anchors[row] for row in train} & {anchors[row] for row in held_out}
    more = {anchors[row] for row in source.split(min(0.999, holdout + 0.1), seed)[1].tolist()}
    assert {anchors[row] for row in held_out} <= more
    source.keys = source.keys[::-1]
    again = {len(anchors) - 1 - row for row in source.split(holdout, seed)[1].tolist()}
    assert again == held_out


def test_nothing_is_held_out_without_a_holdout(make: Make, tmp_path: Path) -> None:
    data = make([numbered(tmp_path / "a.jsonl", 30)], holdout=0.0, batch_size=5)
    train, held_out = parts_of(data)
    assert (len({row["anchor"] for row in train}), held_out) == (30, [])


def test_random_negatives_are_positives_of_other_rows_and_seeded(tmp_path: Path) -> None:
    file = numbered(tmp_path / "a.jsonl", 100, 2)
    one, again, other = (TripletSource(file, seed, True).rows(range(200)) for seed in (1, 1, 2))
    assert one == again
    assert [row["negative"] for row in one] != [row["negative"] for row in other]
    positives = {row["positive"] for row in one}
    assert all(row["negative"] in positives - {row["positive"]} for row in one)
    assert len({row["negative"] for row in one}) > 100
    picked = TripletSource(file, 1, True).rows([7, 150, 7])
    assert picked == [one[7], one[150], one[7]]


def test_sources_of_the_same_rows_draw_other_negatives(make: Make, tmp_path: Path) -> None:
    files = [write(tmp_path / f"{name}.jsonl", [{"anchor": f"a {i}", "positive": f"b {i}"} for i in range(40)])
             for name in ("one", "two")]  # fmt: skip
    one, two = ([row["negative"] for row in s.rows(range(40))] for s in make(files, random_negatives=True).sources)
    assert one != two


@pytest.mark.parametrize("seed", range(4))
def test_random_negatives_differ_from_the_positive_where_many_share_it(tmp_path: Path, seed: int) -> None:
    rows = [{"anchor": f"a {i}", "positive": f"b {i % 12}"} for i in range(120)]
    drawn = TripletSource(write(tmp_path / "a.jsonl", rows), seed, True).rows(range(120))
    assert all(row["negative"] != row["positive"] for row in drawn)


def test_where_no_other_positive_is_the_draw_still_ends(tmp_path: Path) -> None:
    rows = [{"anchor": f"a {i}", "positive": "b"} for i in range(5)]
    drawn = TripletSource(write(tmp_path / "a.jsonl", rows), 0, True).rows(range(5))
    assert {row["negative"] for row in drawn} == {"b"}


def test_negatives_of_a_source_are_kept_beside_random_ones(tmp_path: Path) -> None:
    source = TripletSource(numbered(tmp_path / "a.jsonl", 9, negative="no dog"), 0, True)
    assert {row["negative"] for row in source.rows(range(9))} == {"no dog"}
    assert "negative" not in TripletSource(numbered(tmp_path / "b.jsonl", 9), 0, False).rows([0])[0]


# bug: random negatives are drawn only where the whole source has no such column
@pytest.mark.parametrize("nothing", [None, ""])
def test_each_row_without_a_negative_gets_a_random_one(tmp_path: Path, nothing: str | None) -> None:
    rows = [{"anchor": f"a {i}", "positive": f"b {i}", "negative": "c" if i % 2 else nothing} for i in range(20)]
    drawn = TripletSource(write(tmp_path / "a.jsonl", rows), 0, True).rows(range(20))
    assert all(row["negative"] == "c" for row in drawn[1::2])
    assert all(row["negative"] for row in drawn)


def test_rows_of_several_sources_come_in_the_order_asked_for(tmp_path: Path) -> None:
    files = [numbered(tmp_path / "a.jsonl", 9), numbered(tmp_path / "b.jsonl", 9, negative="no")]
    strata = [Stratum(0, np.arange(9)[::-1], 1.0), Stratum(1, np.arange(3, 9), 1.0)]
    rows = TripletRows([TripletSource(file, 0, False) for file in files], strata)
    wanted = [(1, 0), (0, 0), (1, 5), (0, 8), (0, 0)]
    found = rows.__getitems__(wanted)
    assert [row["positive"] for row in found] == ["b cat 3 0", "a cat 8 0", "b cat 8 0", "a cat 0 0", "a cat 8 0"]
    assert [row.get("negative") for row in found] == ["no", None, "no", None, None]
    assert [rows[row] for row in wanted] == found


def test_a_batch_knows_its_rows_in_the_sources(make: Make, tmp_path: Path) -> None:
    files = [numbered(tmp_path / "a.jsonl", 40), numbered(tmp_path / "b.jsonl", 20, 2)]
    data = make(files, holdout=0.3, random_negatives=True)
    sources = [[json.loads(line) for line in Path(file).read_text().splitlines()] for file in files]
    for batch in data.train_dataloader():
        moved = batch.to("cpu")
        assert len(moved.rows) == len(batch)
        read = data.read(moved.rows)
        assert [text_key(row["anchor"]) for row in read] == batch.anchor_keys_B.tolist()
        assert [text_key(row["positive"]) for row in read] == batch.positive_keys_P.tolist()
        assert [text_key(row["negative"]) for row in read] == batch.negative_keys_C.tolist()
        assert [row["source"] for row in read] == [files[source] for source, _ in moved.rows]
        assert [row["positive"] for row in read] == [sources[s][n]["positive"] for s, n in moved.rows]


@pytest.mark.parametrize(
    ("weights", "share"), [(None, 40 / 60), ([1.0, 1.0], 0.5), ([0.2, 0.6], 0.25), ([0.0, 2.0], 0.0)]
)
def test_weights_are_the_shares_of_the_rows_drawn(
    make: Make, tmp_path: Path, weights: list[float] | None, share: float
) -> None:
    files = [numbered(tmp_path / "a.jsonl", 40), numbered(tmp_path / "b.jsonl", 20)]
    data = make(files, weights=weights, holdout=0.0, allow_duplicates=True)
    counts = Counter(row["positive"].split()[0] for row in rows_of(data.train_dataloader()))
    assert counts["a"] == round(share * counts.total())


def test_training_batches_hold_no_anchor_twice_unless_allowed(make: Make, tmp_path: Path) -> None:
    file = numbered(tmp_path / "a.jsonl", 12, 5)
    for allowed in (False, True):
        loader = make([file], holdout=0.0, allow_duplicates=allowed, batch_size=8).train_dataloader()
        twice = [len(set(batch.anchor_keys_B.tolist())) < len(batch) for batch in loader]
        assert any(twice) == allowed


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_ranks_share_the_held_out_rows(
    make: Make, tmp_path: Path, as_rank: Callable[[int, int], None], world_size: int
) -> None:
    file = numbered(tmp_path / "a.jsonl", 120)
    shares = []
    for rank in range(world_size):
        as_rank(rank, world_size)
        (loader,) = make([file], holdout=0.4).val_dataloader()
        shares.append([row["anchor"] for row in rows_of(loader)])
        assert sum(len(batch) for batch in loader) == len(shares[-1])
    together = [anchor for share in shares for anchor in share]
    as_rank(0, 1)
    (loader,) = make([file], holdout=0.4).val_dataloader()
    assert sorted(together) == sorted(row["anchor"] for row in rows_of(loader))
    assert len(set(together)) == len(together)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


# bug: rows are sharded before they are cut into batches, and validation_step gathers from all ranks in each
def test_every_rank_has_as_many_validation_batches(
    make: Make, tmp_path: Path, as_rank: Callable[[int, int], None]
) -> None:
    file = numbered(tmp_path / "a.jsonl", 120)
    for rows in (1, 9, 17):
        counts = set()
        for rank in range(2):
            as_rank(rank, 2)
            loaders = make([file], holdout=0.4, validation_rows=rows).val_dataloader()
            counts.add(tuple(len(loader) for loader in loaders))
        assert len(counts) == 1, f"{rows} held-out rows"


def test_held_out_rows_are_fixed_and_at_most_so_many(make: Make, tmp_path: Path) -> None:
    file = numbered(tmp_path / "a.jsonl", 100)
    drawn = [
        [row["anchor"] for row in rows_of(make([file], holdout=0.5, seed=seed, validation_rows=10).val_dataloader()[0])]
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1] != drawn[2]
    assert [len(rows) for rows in drawn] == [10, 10, 10]
    loader = make([file], holdout=0.5).val_dataloader()[0]
    assert all(same(one, other) for one, other in zip(loader, loader, strict=True))


def test_suites_follow_the_held_out_rows(make: Make, tmp_path: Path, beir: Path) -> None:
    file = numbered(tmp_path / "a.jsonl", 60)
    for holdout, kinds in ((0.3, 2), (0.0, 1)):
        data = make([file], holdout=holdout, validation=[NanoBEIR(str(beir), ["zoo", "park"])])
        loaders = data.val_dataloader()
        assert len(loaders) == kinds
        assert [batch.content.name for batch in loaders[-1]] == ["zoo", "park"]


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_made_ahead_in_threads_and_no_process_begins(make: Make, triplets: Path, workers: int) -> None:
    """A fork of a process with threads may wait for ever on a lock that one of them held."""
    loader, made = make([str(triplets)], holdout=0.0, workers=workers).train_dataloader(), []
    real = loader.collate

    def collate(rows: Sequence[Mapping[str, Any]]) -> TripletBatch:
        made.append(threading.current_thread() is threading.main_thread())
        return real(rows)  # type: ignore[arg-type]

    loader.collate = collate  # type: ignore[assignment]
    batches = iter(loader)
    next(batches)
    next(batches)
    assert len(made) >= 2
    assert set(made) == {workers == 0}
    assert multiprocessing.active_children() == []
    made.clear()
    rest = list(batches)
    assert len(rest) == len(loader) - 2
    assert not any(thread.name.startswith("rows") for thread in threading.enumerate())


def test_an_error_in_a_thread_reaches_the_step(make: Make, triplets: Path) -> None:
    loader = make([str(triplets)], holdout=0.0, workers=1).train_dataloader()
    loader.collate = Mock(side_effect=UserError("row 3: no"))  # type: ignore[assignment]
    with pytest.raises(UserError, match="row 3"):
        next(iter(loader))


@pytest.mark.parametrize("position", [0, 3, 13, 14, 15, 30])
@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_goes_on_where_its_state_says(make: Make, triplets: Path, position: int, workers: int) -> None:
    options = {"holdout": 0.0, "workers": workers}
    whole = list(itertools.islice(epochs_of(make([str(triplets)], **options).train_dataloader()), 40))
    killed = make([str(triplets)], **options).train_dataloader()
    list(itertools.islice(epochs_of(killed), position))
    state = json.loads(json.dumps(killed.state_dict()))
    assert state["taken"] - len(state["waiting"]) == position * 4

    resumed = make([str(triplets)], **options).train_dataloader()
    resumed.load_state_dict(state)
    rest = list(itertools.islice(epochs_of(resumed), 40 - position))
    assert all(same(one, other) for one, other in zip(rest, whole[position:], strict=True))
    given = resumed.state_dict()
    assert given["taken"] - len(given["waiting"]) == 160


def test_ranks_train_on_slices_of_one_stream(make: Make, triplets: Path, as_rank: Callable[[int, int], None]) -> None:
    whole = make([str(triplets)], batch_size=8, holdout=0.0).train_dataloader()
    batches = []
    for rank in range(2):
        as_rank(rank, 2)
        batches.append(list(make([str(triplets)], batch_size=4, holdout=0.0).train_dataloader()))
    for one, *slices in zip(whole, *batches, strict=True):
        assert torch.equal(one.anchor_keys_B, torch.cat([mine.anchor_keys_B for mine in slices]))


def test_fingerprints_are_of_the_rows(make: Make, tmp_path: Path) -> None:
    first, second = numbered(tmp_path / "a.jsonl", 20), numbered(tmp_path / "b.jsonl", 20)
    one = make([first, second], holdout=0.0).fingerprints
    assert list(one) == [first, second]
    assert one[first] != one[second]
    assert make([first], holdout=0.5, seed=7).fingerprints[first] == one[first]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"files": []}, "data.files: name at least one source"),
        ({"weights": [-1.0]}, "weights are at least 0"),
        ({"weights": [0.0]}, "not all 0"),
        ({"batch_size": 0}, "must be at least 1"),
        ({"passes": 0}, "must be at least 1"),
        ({"workers": -1}, "data.workers -1: a number of threads"),
        ({"holdout": 1.0}, "data.holdout 1.0: a share from 0 to below 1"),
        ({"holdout": -0.1}, "data.holdout -0.1"),
    ],
)
def test_a_wrong_option_is_told_before_a_file_is_opened(options: dict[str, Any], expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        Triplets(**{"files": ["none.jsonl"], **options})


def test_too_few_rows_for_a_batch_are_told(make: Make, tmp_path: Path, as_rank: Callable[[int, int], None]) -> None:
    file = numbered(tmp_path / "a.jsonl", 7)
    with pytest.raises(UserError, match="data.batch_size 8: the files have only 7 rows"):
        make([file], batch_size=8, holdout=0.0)
    as_rank(0, 2)
    with pytest.raises(UserError, match="data.batch_size 4: the files have only 7 rows"):
        make([file], holdout=0.0)


def test_a_source_that_is_held_out_whole_is_told(make: Make, tmp_path: Path) -> None:
    many = [numbered(tmp_path / "a.jsonl", 60), numbered(tmp_path / "b.jsonl", 60)]
    (anchor, *_) = (row["anchor"] for row in rows_of(make(many[:1], holdout=0.1).val_dataloader()[0]))
    files = [many[1], write(tmp_path / "c.jsonl", [{"anchor": anchor, "positive": "a cat"}])]
    with pytest.raises(UserError, match=r"c.jsonl: no rows are left to train on; lower data.holdout"):
        make(files, holdout=0.1, weights=[1.0, 1.0]).train_dataloader()
    for weights in (None, [1.0, 0.0]):
        assert len(make(files, holdout=0.1, weights=weights).train_dataloader()) > 0


def test_a_run_resumed_with_other_batches_says_so_and_goes_on(
    make: Make, triplets: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = make([str(triplets)], batch_size=4, holdout=0.0)
    list(itertools.islice(epochs_of(data.train_dataloader()), 5))
    state = json.loads(json.dumps(data.state_dict()))
    for batch_size, told in ((4, False), (8, True)):
        resumed = make([str(triplets)], batch_size=batch_size, holdout=0.0)
        resumed.load_state_dict(state)
        caplog.clear()
        loader = resumed.train_dataloader()
        assert ("resumed with 8 rows a step, before 4" in caplog.text) == told
        assert len(loader) == 5 + (59 - 20) // batch_size
        assert sum(len(batch) for batch in loader) == (59 - 20) // batch_size * batch_size


# bug: the split was the same for every seed
@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(0, 1 << 32), st.floats(0.1, 0.9))
def test_the_seed_fixes_the_split_and_another_gives_another(seed: int, other: int, holdout: float) -> None:
    source = object.__new__(TripletSource)
    source.keys = np.array([[text_key(f"anchor {a}"), a] for a in range(400)])
    source.usable = np.ones(400, dtype=bool)
    held_out = [set(source.split(holdout, s)[1].tolist()) for s in (seed, seed, other)]
    assert held_out[0] == held_out[1]
    assert (held_out[0] == held_out[2]) == (seed == other)
    assert abs(len(held_out[0]) / 400 - holdout) < 0.15


def test_the_option_seed_is_that_of_the_split(make: Make, tmp_path: Path) -> None:
    files = [numbered(tmp_path / "a.jsonl", 200), numbered(tmp_path / "b.jsonl", 200)]
    sides = [
        [s.split(0.3, data.seed)[1].tolist() for s in data.sources] for data in (make(files, seed=s) for s in (1, 2))
    ]
    assert sides[0][0] == sides[0][1] != sides[1][0] == sides[1][1]
    data = make(files, seed=2, holdout=0.3)
    assert [rows.tolist() for rows in data._held_out] == sides[1]


# bug: such rows were trained on: a text was drawn to the anchor and pushed off at once
def test_a_row_whose_negative_is_its_anchor_or_positive_is_left_out_and_counted(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"anchor": f"a {i}", "positive": f"b {i}", "negative": f"c {i}"} for i in range(20)]
    rows[3]["negative"], rows[7]["negative"], rows[9]["negative"] = "a 3", " b 7\n", "a 8"
    file = write(tmp_path / "a.jsonl", rows)
    data = make([file], holdout=0.3)
    assert "2 rows are left out, since their negative is their own anchor or positive" in caplog.text
    train, held_out = parts_of(data)
    used = {row["row"][1] for row in train + held_out}
    assert used <= set(range(20)) - {3, 7}
    assert len(data._train[0]) + len(data._held_out[0]) == 18
    assert data.fingerprints[file].endswith(", 2 rows left out")
    assert data.read([(0, 8)])[0]["anchor"] == "a 8"


def test_the_fingerprint_is_of_the_negatives_too(tmp_path: Path) -> None:
    row = {"anchor": "a", "positive": "b"}
    prints = {
        TripletSource(write(tmp_path / f"{n}.jsonl", [{**row, "negative": n}]), 0, False).told for n in ("c", "d")
    }
    assert len(prints) == 2


# bug: a checkpoint was chosen on a test set under another name
def test_a_test_set_is_not_among_the_validation_sets(make: Make, tmp_path: Path, beir: Path, pairs: Path) -> None:
    (tmp_path / "copy").symlink_to(beir)
    shutil.copytree(beir / "zoo", tmp_path / "other" / "park")
    shutil.copy(pairs, tmp_path / "copied.jsonl")
    file = numbered(tmp_path / "a.jsonl", 60)

    def told(validation: Suite, test: Suite) -> bool:
        data = Triplets([file], batch_size=4, validation=[validation], test=[test])
        try:
            data.setup("fit")
            data.test_dataloader()
        except UserError as error:
            return "is among data.validation" in str(error)
        return False

    zoo = NanoBEIR(str(beir), ["zoo"])
    assert told(zoo, NanoBEIR(str(beir)))
    assert told(zoo, NanoBEIR(str(tmp_path / "copy")))
    assert told(zoo, NanoBEIR(str(tmp_path / "other")))
    assert not told(zoo, NanoBEIR(str(beir), ["park"]))
    assert told(NearMissPairs([str(pairs)]), NearMissPairs([str(tmp_path / "." / pairs.name)]))
    assert told(NearMissPairs([str(pairs)]), NearMissPairs([str(tmp_path / "copied.jsonl")]))
    assert not told(NearMissPairs([str(pairs)]), zoo)
    with pytest.raises(UserError, match="data.test: 'zoo' is among data.validation"):
        make([file], validation=[zoo], test=[NanoBEIR(str(tmp_path / "copy"))])
