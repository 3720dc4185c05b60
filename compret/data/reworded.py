"""Structural negatives beside positives that are reworded: what identity rows lack, made of them by rule."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from compret.data.perturb.rewordings import reword
from compret.types import UserError

if TYPE_CHECKING:
    from datasets import Dataset

PREFIX = "reworded:"
_COLUMNS = ("anchor", "positive", "negative")


def reworded(table: Dataset, source: str) -> Dataset:
    """Triplets with the columns anchor, positive, negative, up to three for each row whose anchor a rule rewords.

    The anchor with its rewording and the negative, reworded where a rule applies; the rewording with the anchor; the
    negative with its own rewording, to which the anchor is the negative. So no role has a wording of its own.

    Raises:
        UserError: the rows have no negatives, or no rule rewords any anchor.
    """
    if "negative" not in table.column_names:
        raise UserError(f"{source}: no column 'negative'; {PREFIX} makes triplets of rows that have negatives")
    made = table.map(_rows, batched=True, remove_columns=table.column_names, desc=source)
    if len(made) == 0:
        raise UserError(f"{source}: no rule rewords any of its anchors")
    return made


def _rows(batch: Mapping[str, Sequence[str | None]]) -> dict[str, list[str]]:
    rows = [
        row
        for anchor, negative in zip(batch["anchor"], batch["negative"], strict=True)
        if anchor and negative
        for row in _triplets(anchor, negative)
    ]
    return {column: [row[i] for row in rows] for i, column in enumerate(_COLUMNS)}


def _triplets(anchor: str, negative: str) -> list[tuple[str, str, str]]:
    rng = random.Random(f"{anchor}\n{negative}")
    same, other = reword(anchor, rng), reword(negative, rng)
    if same is None or len({text.lower() for text in (anchor, same, negative)}) < 3:
        return []
    rows = [(anchor, same, other if other and rng.random() < 0.7 else negative), (same, anchor, negative)]
    return [*rows, (negative, other, rng.choice([anchor, same]))] if other else rows
