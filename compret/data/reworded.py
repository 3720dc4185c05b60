"""Structural negatives beside positives that are reworded: what identity rows lack, made of them by rule."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from compret.data.arrow import Texts, held
from compret.data.perturb.rewordings import reword
from compret.data.records import fingerprint
from compret.types import UserError

if TYPE_CHECKING:
    from datasets import Dataset

PREFIX = "reworded:"
_COLUMNS = ("anchor", "positive", "negative", "category")
_CATEGORY = "reworded"


def reworded(table: Dataset, source: str) -> Dataset:
    """Triplets with a category, up to three for each row whose anchor a rule rewords.

    The anchor with its rewording and the negative, reworded where a rule applies; the rewording with the anchor; the
    negative with its own rewording, to which the anchor is the negative. So no role has a wording of its own. Their
    category is the row's, or `reworded` where it has none: they are near-misses, not questions and passages.

    Raises:
        UserError: the rows have no negatives, or no rule rewords any anchor.
    """
    if "negative" not in table.column_names:
        raise UserError(f"{source}: no column 'negative'; {PREFIX} makes triplets of rows that have negatives")
    (file,) = table.cache_files
    made = held(fingerprint([file["filename"], _rules()]), _COLUMNS, _rows(table))
    if len(made) == 0:
        raise UserError(f"{source}: no rule rewords any of its anchors")
    return made


def _rules() -> str:
    """Hash of the code that rewords, so that other rules are not given the rows of the old ones."""
    from compret.data.pydoc import rules

    return fingerprint([rules(), Path(__file__).read_text(encoding="utf-8")])


def _rows(table: Dataset) -> Iterator[Texts]:
    for row in table:
        if row["negative"]:
            for texts in _triplets(row["anchor"], row["negative"]):
                yield (*texts, row.get("category") or _CATEGORY)


def _triplets(anchor: str, negative: str) -> list[tuple[str, str, str]]:
    rng = random.Random(f"{anchor}\n{negative}")
    same, other = reword(anchor, rng), reword(negative, rng)
    if same is None or len({text.lower() for text in (anchor, same, negative)}) < 3:
        return []
    rows = [(anchor, same, other if other and rng.random() < 0.7 else negative), (same, anchor, negative)]
    return [*rows, (negative, other, rng.choice([anchor, same]))] if other else rows
