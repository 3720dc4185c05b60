"""Collation: cuts that cost least, every text once in the passes, keys that are equal when texts are."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from compret.data.collate import Collate, cut_points, text_key
from compret.nn.encoder import TextEncoder
from compret.nn.tokenizer import TextTokenizer
from compret.types import Kind, TokenBatch

Row = dict[str, str | None]

WORDS = ["the", "dog", "cat", "bit", "man", "house", "zebra", "in", "x1"]


def cells(lengths: list[int], cuts: list[int]) -> int:
    """Padded cells of texts of rising length that are cut there."""
    ends = [*cuts, len(lengths)]
    return sum((end - begin) * lengths[end - 1] for begin, end in itertools.pairwise([0, *ends]))


def random_rows(seed: int, count: int = 30) -> list[Row]:
    """Rows of one to sixty words; some negatives are missing, null or empty."""
    rng = np.random.default_rng(seed)

    def text() -> str:
        return " ".join(rng.choice(WORDS, int(rng.integers(1, 60 if rng.random() < 0.1 else 9))).tolist())

    rows: list[Row] = []
    for i in range(count):
        row: Row = {"anchor": text(), "positive": text()}
        negatives: list[Row] = [{"negative": text()}, {"negative": None}, {}, {"negative": ""}]
        rows.append(row | negatives[i % 4 if rng.random() < 0.7 else 0])
    return rows


def texts_in(passes: tuple[TokenBatch, ...]) -> list[list[int]]:
    """Token ids of the passes' rows laid end to end, without padding."""
    return [
        ids[mask.bool()].tolist() for batch in passes for ids, mask in zip(batch.ids_BM, batch.mask_BM, strict=True)
    ]


@pytest.fixture(scope="module")
def tokenizer(tiny: Path) -> TextTokenizer:
    return TextTokenizer(tiny, 32, {"query": "first ", "document": ""})


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=11), st.integers(1, 5), st.integers(1, 4))
def test_cuts_cost_least_among_all_cuts(lengths: list[int], passes: int, block: int) -> None:
    lengths = sorted(lengths)
    places = range(block, len(lengths), block)
    every = [cuts for count in range(passes) for cuts in itertools.combinations(places, count)]
    found = cut_points(np.array(lengths), passes, block)
    assert tuple(found) in every
    assert cells(lengths, found) == min(cells(lengths, list(cuts)) for cuts in every)


def test_equal_lengths_and_one_pass_cost_the_same_however_they_are_cut() -> None:
    assert cut_points(np.array([8, 8, 16]), 1) == []
    assert cells([8] * 6, cut_points(np.full(6, 8), 3)) == 48
    assert cut_points(np.array([8, 8, 64, 64]), 2) == [2]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("passes", [1, 3, 200])
def test_every_text_stands_in_the_passes_once_with_its_ids(tokenizer: TextTokenizer, seed: int, passes: int) -> None:
    rows = random_rows(seed)
    batch = Collate(tokenizer, passes)(rows)
    negatives = [row["negative"] for row in rows if row.get("negative")]
    assert (len(batch), len(batch.negative_rows_C)) == (len(rows), len(negatives))
    assert len(batch.passes) <= passes

    places = torch.cat([batch.anchor_rows_B, batch.positive_rows_P, batch.negative_rows_C]).tolist()
    found = texts_in(batch.passes)
    assert sorted(places) == list(range(len(found)))
    expected = [
        *tokenizer([str(row["anchor"]) for row in rows], "query").ids,
        *tokenizer([str(row["positive"]) for row in rows], "document").ids,
        *tokenizer([str(text) for text in negatives], "document").ids,
    ]
    assert [found[place] for place in places] == [list(ids) for ids in expected]
    assert batch.tokens == sum(batch.ids_BM.numel() for batch in batch.passes)


@pytest.mark.parametrize("max_length", [16, 29])
def test_widths_are_multiples_of_eight_within_the_limit(tiny: Path, max_length: int) -> None:
    tokenizer = TextTokenizer(tiny, max_length, {"query": "", "document": ""})
    batch = Collate(tokenizer)(random_rows(5))
    widths = [one.ids_BM.shape[1] for one in batch.passes]
    assert widths == sorted(widths)
    assert widths[-1] == max_length
    assert all(width % 8 == 0 or width == max_length for width in widths)
    assert all(len(one.ids_BM) % 8 == 0 for one in batch.passes[:-1])


def test_padding_is_masked_and_nothing_else(tokenizer: TextTokenizer) -> None:
    for batch in Collate(tokenizer)(random_rows(6)).passes:
        assert batch.ids_BM.dtype == batch.mask_BM.dtype == torch.long
        assert torch.equal(batch.mask_BM, batch.mask_BM.sort(1, descending=True).values)
        assert (batch.ids_BM[batch.mask_BM == 0] == tokenizer.fast.pad_token_id).all()


def test_more_passes_never_compute_more(tokenizer: TextTokenizer) -> None:
    tokens = [Collate(tokenizer, passes)(random_rows(7)).tokens for passes in (1, 2, 4, 8)]
    assert tokens == sorted(tokens, reverse=True)
    assert tokens[-1] < tokens[0]


def test_a_batch_without_negatives_and_a_batch_of_one(tokenizer: TextTokenizer) -> None:
    batch = Collate(tokenizer)([{"anchor": "the dog", "positive": "the cat"}])
    assert len(batch) == 1
    assert batch.negative_rows_C.tolist() == batch.negative_keys_C.tolist() == []
    assert texts_in(batch.passes)[int(batch.positive_rows_P)] == list(tokenizer(["the cat"], "document").ids[0])


def test_equal_texts_have_equal_keys_in_every_role(tokenizer: TextTokenizer) -> None:
    batch = Collate(tokenizer)(
        [
            {"anchor": "the dog", "positive": " a cat\n", "negative": "the dog"},
            {"anchor": "a cat", "positive": "the man", "negative": None},
            {"anchor": "the dog ", "positive": "The dog", "negative": "the man"},
        ]
    )
    dog, cat, man, capital = map(text_key, ("the dog", "a cat", "the man", "The dog"))
    assert len({dog, cat, man, capital}) == 4
    assert batch.anchor_keys_B.tolist() == [dog, cat, dog]
    assert batch.positive_keys_P.tolist() == [cat, man, capital]
    assert batch.negative_keys_C.tolist() == [dog, man]


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=12), st.text(max_size=12))
def test_keys_tell_texts_apart_and_fit_an_int64(one: str, other: str) -> None:
    assert (text_key(one) == text_key(other)) == (one.strip() == other.strip())
    assert -(1 << 63) <= text_key(one) < 1 << 63
    assert text_key(f"  {one}\n") == text_key(one)


def test_threads_that_share_a_tokeniser_make_what_one_makes(tokenizer: TextTokenizer) -> None:
    collate, batches = Collate(tokenizer), [random_rows(seed) for seed in range(24)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(collate, batches))
    for one, other in zip(map(collate, batches), found, strict=True):
        assert texts_in(one.passes) == texts_in(other.passes)
        assert torch.equal(one.anchor_keys_B, other.anchor_keys_B)


# bug: pairs were trained with the document prompt on one side, and tested with the query prompt on both
def test_a_pair_has_the_query_prompt_on_all_its_texts(new_backbone: Callable[..., Path], tmp_path: Path) -> None:
    """A row with a category, or an identity row, is a pair; another is a question and its passages."""
    folder = new_backbone(tmp_path / "prompted", prompts={"query": "not a ", "document": "very small "})
    tokenizer = TextEncoder(str(folder)).tokenizer
    rows: list[Row] = [
        {"anchor": "a key", "positive": "the key", "category": ""},
        {"anchor": "the dog", "positive": "the cat", "negative": "the man", "category": "swap"},
        {"anchor": "a house", "positive": "a house", "negative": "no house"},
        {"anchor": "a bird", "positive": "the bird", "negative": "a tree", "category": None},
    ]
    batch = Collate(tokenizer, passes=2)(rows)
    found = texts_in(batch.passes)

    def ids(text: str, kind: Kind) -> list[int]:
        return list(tokenizer([text], kind).ids[0])

    for row, anchor, positive in zip(rows, batch.anchor_rows_B, batch.positive_rows_P, strict=True):
        kind: Kind = "query" if row["anchor"] in ("the dog", "a house") else "document"
        assert found[int(anchor)] == ids(str(row["anchor"]), "query")
        assert found[int(positive)] == ids(str(row["positive"]), kind)
    kinds: list[Kind] = ["query", "query", "document"]
    expected = [ids(text, kind) for text, kind in zip(("the man", "no house", "a tree"), kinds, strict=True)]
    assert [found[int(place)] for place in batch.negative_rows_C] == expected
    assert found[int(batch.anchor_rows_B[2])] == found[int(batch.positive_rows_P[2])]


def test_texts_that_lost_their_end_are_counted_in_every_role(tokenizer: TextTokenizer) -> None:
    long = "the dog bit the man " * 9
    rows = [{"anchor": a, "positive": p, "negative": n} for a, p, n in (
        (long, "a cat", "no cat"), ("a dog", long, long), (long, "a man", None), ("a key", "a house", "a tree")
    )]  # fmt: skip
    assert Collate(tokenizer)(rows).truncated == 4
