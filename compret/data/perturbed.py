"""`perturb:FILE` and `reworded:SOURCE`: triplets made by rule from the anchors of a file, with the parser's extra."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from compret.data.arrow import Cells, held
from compret.data.fields import text_field
from compret.data.records import fingerprint
from compret.data.sources import RowSource, open_rows
from compret.perturb.perturber import Perturber, all_rules, code
from compret.perturb.pipeline import load_pipeline
from compret.perturb.rows import triplets
from compret.types import UserError

if TYPE_CHECKING:
    from datasets import Dataset

PERTURB, REWORDED = "perturb:", "reworded:"
_COLUMNS = ("anchor", "positive", "negative", "category")
_TEXTS = ("anchor", "text", "query", "question", "sentence1")
_CATEGORY = "reworded"
_SEED = 42


def perturbed(source: str) -> Dataset:
    """Triplets of the texts (anchor, text, query or sentence1) that have a paraphrase and a near-miss by rule.

    Raises:
        UserError: the extra `perturb` is not installed, or no text has both.
    """
    load_pipeline()
    opened = open_rows(source)
    made = held(fingerprint([opened.key, _code(), PERTURB]), _COLUMNS, _perturbed(opened))
    if len(made) == 0:
        raise UserError(f"{source}: no rule makes both a paraphrase and a near-miss of any of its texts")
    return made


def reworded(table: Dataset, source: str) -> Dataset:
    """Triplets with a category, up to three for each row whose anchor a rule rewords.

    The anchor with its rewording and the negative, reworded where a rule applies; the rewording with the anchor; the
    negative with its own rewording, to which the anchor is the negative. So no role has a wording of its own. Their
    category is the row's, or `reworded` where it has none: they are near-misses, not questions and passages.

    Raises:
        UserError: the extra is not installed, the rows have no negatives, or no rule rewords any anchor.
    """
    if "negative" not in table.column_names:
        raise UserError(f"{source}: no column 'negative'; {REWORDED} makes triplets of rows that have negatives")
    load_pipeline()
    (file,) = table.cache_files
    made = held(fingerprint([file["filename"], _code(), REWORDED]), _COLUMNS, _reworded(table))
    if len(made) == 0:
        raise UserError(f"{source}: no rule rewords any of its anchors")
    return made


def _code() -> str:
    """Hash of the code that makes the rows, so that other rules are not given the rows of the old ones."""
    return fingerprint([code(), Path(__file__).read_text(encoding="utf-8")])


def _perturbed(opened: RowSource) -> Iterator[Cells]:
    texts = (text_field(place, row, *_TEXTS) for place, row in opened.records())
    for text, edits in Perturber(list(all_rules().values()), _SEED).edits(texts):
        for row in triplets(text, edits, _SEED):
            yield tuple(str(row[column]) for column in _COLUMNS)


def _reworded(table: Dataset) -> Iterator[Cells]:
    rows = [row for row in table if row["negative"]]
    same = _rewordings(row["anchor"] for row in rows)
    other = _rewordings(row["negative"] for row in rows)
    for row, anchor_again, negative_again in zip(rows, same, other, strict=True):
        for texts in _triplets(row["anchor"], row["negative"], anchor_again, negative_again):
            yield (*texts, row.get("category") or _CATEGORY)


def _rewordings(texts: Iterable[str]) -> Iterator[str | None]:
    """One paraphrase of each text, drawn with it; None where no rule has one."""
    rules = [rule for rule in all_rules().values() if rule.label]
    for text, edits in Perturber(rules, _SEED).edits(texts):
        yield random.Random(text).choice(edits).text if edits else None


def _triplets(anchor: str, negative: str, same: str | None, other: str | None) -> list[tuple[str, str, str]]:
    rng = random.Random(f"{anchor}\n{negative}")
    if same is None or len({text.lower() for text in (anchor, same, negative)}) < 3:
        return []
    rows = [(anchor, same, other if other and rng.random() < 0.7 else negative), (same, anchor, negative)]
    return [*rows, (negative, other, rng.choice([anchor, same]))] if other else rows
