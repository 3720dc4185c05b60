"""MinimalPairs: what its data card promises of the items, and what five texts become."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from compret.data import minimal_pairs
from compret.data.minimal_pairs import Item, Split, labelled_pairs, near_miss_set, read_items, training_rows, triplets
from compret.data.near_miss_files import load_near_misses
from compret.data.triplet_tables import load_triplets
from compret.metrics.edit_words import logistic_regression, signed_words
from compret.metrics.near_miss import auroc, jaccard
from compret.types import UserError

SPLITS: tuple[Split, ...] = get_args(Split)
TEXTS = ("anchor", "same_close", "same_free", "other_close", "other_free")
SAY_THE_SAME = ({"anchor", "same_close", "same_free"}, {"other_close", "other_free"})


def texts(item: Item) -> list[str]:
    return [getattr(item, name) for name in TEXTS]


def runs(item: Item) -> set[tuple[str, ...]]:
    """All five words in a row of an item's texts."""
    words = [re.findall(r"[a-z0-9]+", text.lower()) for text in texts(item)]
    return {tuple(w[i : i + 5]) for w in words for i in range(len(w) - 4)}


def test_there_are_enough_items_in_each_category() -> None:
    items = [item for split in SPLITS for item in read_items(split)]
    assert len(items) >= 2400
    categories = Counter(item.category for item in items)
    assert len(categories) >= 24
    assert min(categories.values()) >= 80
    assert len({item.anchor.lower() for item in items}) == len(items)
    assert all(len({text.lower() for text in texts(item)}) == 5 for item in items)
    assert all(text == text.strip() and text for item in items for text in texts(item))


def test_the_files_are_small() -> None:
    folder = Path(minimal_pairs.__file__).parent
    assert sum(file.stat().st_size for file in folder.glob("*.jsonl")) <= 3_000_000


def test_splits_share_no_domain_and_no_five_words_in_a_row() -> None:
    items = {split: read_items(split) for split in SPLITS}
    total = sum(map(len, items.values()))
    assert [len(items[split]) / total for split in SPLITS] == pytest.approx([0.6, 0.1, 0.3], abs=0.03)
    for one, other in itertools.combinations(SPLITS, 2):
        assert not {i.domain for i in items[one]} & {i.domain for i in items[other]}
        assert not set().union(*map(runs, items[one])) & set().union(*map(runs, items[other]))


def test_every_category_is_in_every_split() -> None:
    categories = [Counter(item.category for item in read_items(split)) for split in SPLITS]
    assert categories[0].keys() == categories[1].keys() == categories[2].keys()
    assert min(categories[2].values()) >= 20


ITEM = Item("negation", "law", "a", "sc", "sf", "oc", "of")


def test_pairs_say_the_same_or_not_as_their_texts_do() -> None:
    names = dict(zip(("a", "sc", "sf", "oc", "of"), TEXTS, strict=True))
    rows = list(labelled_pairs([ITEM]))
    assert Counter(row["label"] for row in rows) == {1: 4, 0: 4}
    assert len({frozenset((row["anchor"], row["candidate"])) for row in rows}) == 8
    for row in rows:
        pair = {names[row["anchor"]], names[row["candidate"]]}
        assert row["label"] == any(pair <= said for said in SAY_THE_SAME)
        assert row["category"] == "negation"


@pytest.mark.parametrize("identity", [False, True])
def test_triplets_hold_a_paraphrase_and_a_near_miss(identity: bool) -> None:
    names = dict(zip(("a", "sc", "sf", "oc", "of"), TEXTS, strict=True))
    rows = list(triplets([ITEM], identity))
    for row in rows:
        anchor, positive, negative = (names[row[role]] for role in ("anchor", "positive", "negative"))
        said = next(said for said in SAY_THE_SAME if anchor in said)
        assert positive in said
        assert negative not in said
        assert (anchor == positive) == identity
    roles = Counter(row[role] for row in rows for role in ("positive", "negative"))
    assert max(roles.values()) - min(roles.values()) <= 2


def test_sources_have_names() -> None:
    for split in SPLITS:
        data = load_near_misses(f"minimal_pairs:{split}")
        assert data.name == "minimal_pairs"
        assert len(data.anchors) == 8 * len(read_items(split))
        assert data.fingerprint == near_miss_set(f"minimal_pairs:{split}").fingerprint
    assert len({near_miss_set(f"minimal_pairs:{split}").fingerprint for split in SPLITS}) == 3
    assert len(load_triplets("minimal_pairs:train")) == 4 * len(read_items("train"))
    identity = load_triplets("minimal_pairs:identity")
    assert identity["anchor"] == identity["positive"]


@pytest.mark.parametrize(
    "source", ["minimal_pairs:test", "minimal_pairs:validation", "minimal_pairs:", "minimal_pairs:x"]
)
def test_what_is_held_out_cannot_be_trained_on(source: str) -> None:
    with pytest.raises(UserError, match="here MinimalPairs has minimal_pairs:train, minimal_pairs:identity"):
        training_rows(source)


def test_no_cue_gives_the_labels_away() -> None:
    """AUROC on the test split of word overlap, of the length difference and of the edited words, learnt on train."""
    train, test = (near_miss_set(f"minimal_pairs:{split}") for split in ("train", "test"))
    labels = np.array(test.labels)
    pairs = list(zip(test.anchors, test.candidates, strict=True))
    overlap = [jaccard(a, c) for a, c in pairs]
    lengths = [-abs(len(a.split()) - len(c.split())) for a, c in pairs]
    features = signed_words([*train.anchors, *test.anchors], [*train.candidates, *test.candidates])
    weights, bias = logistic_regression(features[: len(train.labels)], train.labels)
    edits = features[len(train.labels) :] @ weights + bias
    found = {name: auroc(cue, labels) for name, cue in (("overlap", overlap), ("length", lengths), ("edits", edits))}
    assert all(value is not None and 0.45 <= value <= 0.58 for value in found.values()), found
