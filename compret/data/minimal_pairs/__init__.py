"""MinimalPairs, the embedded near-misses: written items of five texts, and the pairs and triplets that they make.

README.md beside this file is the data card.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, cast, get_args

from compret.data.records import fingerprint, read_records
from compret.evaluation.near_miss import NearMissSet
from compret.types import UserError

Split = Literal["train", "validation", "test"]
NAME = "minimal_pairs"
PREFIX = f"{NAME}:"


@dataclass(frozen=True)
class Item:
    """Five texts: the anchor, two that say the same, and two that say the same other thing."""

    category: str
    domain: str
    anchor: str
    same_close: str
    """Says what the anchor says, in nearly its words."""
    same_free: str
    """Says what the anchor says, worded freely."""
    other_close: str
    """Says something else in nearly the anchor's words."""
    other_free: str
    """Says what `other_close` says, worded freely."""


_SAME = (
    ("anchor", "same_close"),
    ("anchor", "same_free"),
    ("same_close", "same_free"),
    ("other_close", "other_free"),
)
_OTHER = (
    ("anchor", "other_close"),
    ("anchor", "other_free"),
    ("same_close", "other_free"),
    ("other_close", "same_free"),
)
"""Pairs of like overlap and direction on both sides: one close, three from a close text to a free one.

Of the ten pairs of five texts the two that would tilt it are left out, (same_close, other_close) and (same_free,
other_free): they nearly match, and no paraphrases match so.
"""
_TRIPLETS = (
    ("anchor", "same_close", "other_close"),
    ("same_free", "anchor", "other_free"),
    ("other_close", "other_free", "same_free"),
    ("other_free", "other_close", "same_close"),
)
_IDENTITY = (("anchor", "anchor", "other_close"), ("other_close", "other_close", "anchor"))


@lru_cache
def read_items(split: Split) -> tuple[Item, ...]:
    """The items of one split. No domain, and no five words in a row, stand in two splits."""
    path = Path(__file__).with_name(f"{split}.jsonl")
    return tuple(Item(**row) for _, row in read_records(path))


def labelled_pairs(items: Sequence[Item]) -> Iterator[dict[str, str | int]]:
    """Rows of anchor, candidate, label and category: four pairs an item that say the same, and four that do not.

    A pair that says the same stands in its item's category too, so that each category has both labels.
    """
    for item in items:
        for label, names in ((1, _SAME), (0, _OTHER)):
            for first, second in names:
                anchor, candidate = getattr(item, first), getattr(item, second)
                yield {"anchor": anchor, "candidate": candidate, "label": label, "category": item.category}


def triplets(items: Sequence[Item], identity: bool = False) -> Iterator[dict[str, str]]:
    """Rows of anchor, positive, negative and category: four an item, in which each text but one takes each role.

    Args:
        identity: the paper's rows instead, two an item, whose positive is the anchor itself.
    """
    for item in items:
        for names in _IDENTITY if identity else _TRIPLETS:
            anchor, positive, negative = (getattr(item, name) for name in names)
            yield {"anchor": anchor, "positive": positive, "negative": negative, "category": item.category}


def near_miss_set(source: str) -> NearMissSet:
    """The labelled pairs of `minimal_pairs:train`, `minimal_pairs:validation` or `minimal_pairs:test`.

    Raises:
        UserError: there is no such split.
    """
    items = read_items(cast(Split, _split(source, get_args(Split))))
    rows = list(labelled_pairs(items))
    anchors, candidates, categories = ([str(row[name]) for row in rows] for name in ("anchor", "candidate", "category"))
    labels, print_of = [int(row["label"]) for row in rows], items_fingerprint(items)
    origin = {NAME: {"source": source, "items": len(items), "fingerprint": print_of}}
    return NearMissSet(NAME, anchors, candidates, labels, categories, print_of, origin=origin)


def training_rows(source: str) -> list[dict[str, str]]:
    """The triplets of `minimal_pairs:train`, or the paper's identity rows of `minimal_pairs:identity`.

    Raises:
        UserError: the other splits are for validation and testing.
    """
    name = _split(source, ("train", "identity"))
    return list(triplets(read_items("train"), identity=name == "identity"))


def items_fingerprint(items: Sequence[Item]) -> str:
    """128-bit hash of all texts, categories and domains."""
    return fingerprint(text for item in items for text in astuple(item))


def _split(source: str, known: Sequence[str]) -> str:
    name = source.removeprefix(PREFIX)
    if name not in known:
        raise UserError(f"{source}: here MinimalPairs has {', '.join(PREFIX + split for split in known)}")
    return name
