"""Triplets from any source, checked row by row and held as memory-mapped Arrow."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compret.data import minimal_pairs
from compret.data.arrow import Texts, held
from compret.data.fields import category_field, optional_text, text_field
from compret.data.perturbed import PERTURB, REWORDED, perturbed, reworded
from compret.data.records import fingerprint
from compret.data.sources import RowSource, open_rows
from compret.types import UserError

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)

COLUMNS = ("anchor", "positive", "negative", "category")
_ALIASES = {"anchor": ("anchor", "query", "question"), "positive": ("positive", "answer", "passage")}
_CODE = ("arrow.py", "fields.py", "records.py", "sources.py", "triplet_tables.py")


def load_triplets(source: str) -> Dataset:
    """Rows with the columns anchor, positive and, where the source has them, negative and category.

    Args:
        source: a file (CSV, TSV, JSON lines, Parquet), `pydoc:retrieval`, `minimal_pairs:train` or
            `minimal_pairs:identity` for the embedded data, a folder of such files or one saved by `datasets`, or a hub
            id (`owner/name:split`, `owner/name@revision:split`). `reworded:` before any of them makes triplets whose
            positives are reworded by rule; `perturb:` before one makes triplets of its texts alone (the extra
            `perturb`).
            Rows of sentence1, sentence2 are identity rows: sentence1 is the anchor and the positive, sentence2 the
            negative, as the paper reads them. The hub's query and answer are read as anchor and positive.

    Raises:
        UserError: the source, a column or a value is missing or wrong; the message names file, line and column.
    """
    if source.startswith(PERTURB):
        return perturbed(source.removeprefix(PERTURB))
    if source.startswith(REWORDED):
        inner = source.removeprefix(REWORDED)
        return reworded(load_triplets(inner), inner)
    if source.startswith(minimal_pairs.PREFIX):
        rows = [tuple(row[column] for column in COLUMNS) for row in minimal_pairs.training_rows(source)]
        return held(fingerprint([_code(), *itertools.chain(*rows)]), COLUMNS, iter(rows))
    opened = open_rows(str(_pydoc_file(source)) if source.startswith("pydoc:") else source)
    _, first = next(opened.records(), ("", None))
    if first is None:
        raise UserError(f"{opened.name}: no rows; a triplet file needs at least one")
    if _is_identity(first):
        log.info(
            "%s: sentence1, sentence2 are identity rows: sentence1 anchor and positive, sentence2 the negative", source
        )
    return held(fingerprint([opened.key, _code()]), COLUMNS, _rows(opened))


def _pydoc_file(source: str) -> Path:
    from compret.data.pydoc import pydoc

    name = source.partition(":")[2]
    if name != "retrieval":
        raise UserError(f"{source}: PyDoc has pydoc:retrieval alone; written near-misses are minimal_pairs:train")
    return pydoc().retrieval


@cache
def _code() -> str:
    """Hash of the code that reads rows, so that another version is not given what this one made of a file."""
    return fingerprint(Path(__file__).with_name(name).read_text(encoding="utf-8") for name in _CODE)


def _rows(opened: RowSource) -> Iterator[Texts]:
    """Anchor, positive, negative and category of each row; None for what it has not."""
    whole = opened.name
    for place, row in opened.records():
        _check_columns(tuple(row), whole or place)
        if _is_identity(row):
            anchor, negative = text_field(place, row, "sentence1"), text_field(place, row, "sentence2")
            yield anchor, anchor, negative, category_field(place, row)
        else:
            anchor, positive = (_text(whole, place, row, role) for role in _ALIASES)
            yield anchor, positive, optional_text(place, row, "negative"), category_field(place, row)
        whole = ""


def _text(whole: str, place: str, row: Mapping[str, Any], role: str) -> str:
    """The text of a role; where the first row has no such column, no row is expected to have it."""
    names = _ALIASES[role]
    if not any(name in row for name in names):
        lacks = f"{whole}: no column '{role}' (it has {', '.join(row) or 'none'})"
        raise UserError(lacks if whole else f"{place}, column '{role}' is empty")
    return text_field(place, row, *names)


def _is_identity(row: Mapping[str, Any]) -> bool:
    return "sentence1" in row and "anchor" not in row


@lru_cache
def _check_columns(names: tuple[str, ...], where: str) -> None:
    """Refuse columns that say something which triplets have no place for, or say one thing twice.

    Raises:
        UserError: such a column is there.
    """
    if "label" in names or "candidate" in names:
        raise UserError(
            f"{where}: labelled pairs (label, candidate) are no triplets, and training would lose their label; "
            "give anchor, positive, negative, or leave the label out"
        )
    if "sentence1" in names and "anchor" not in names and {"positive", "negative"} & set(names):
        raise UserError(f"{where}: has sentence1, sentence2 beside positive or negative; rename sentence1 to anchor")
    for role, (_, *others) in _ALIASES.items():
        if role not in names and len(set(others) & set(names)) > 1:
            raise UserError(f"{where}: {' and '.join(others)} would both be read as {role}; name one of them {role}")
