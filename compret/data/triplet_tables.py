"""Triplets from any source, checked row by row and held as memory-mapped Arrow."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compret.data import minimal_pairs
from compret.data.arrow import Cells, held
from compret.data.fields import category_field, label_field, number_field, optional_text, text_field
from compret.data.perturbed import PERTURB, REWORDED, perturbed, reworded
from compret.data.records import fingerprint
from compret.data.sources import RowSource, open_rows
from compret.types import UserError

if TYPE_CHECKING:
    from datasets import Dataset

log = logging.getLogger(__name__)

COLUMNS = ("anchor", "positive", "negative", "category")
_ALIASES = {"anchor": ("anchor", "query", "question"), "positive": ("positive", "answer", "passage")}
_ALL = "all"
"""The category of a labelled pair that names none, as in near-miss files."""
_NEGATIVE = "_negative"
_CODE = ("arrow.py", "fields.py", "records.py", "sources.py", "triplet_tables.py")


def load_triplets(source: str, numbers: Sequence[str] = ()) -> Dataset:
    """Rows with the columns anchor, positive and, where the source has them, negative and category.

    A labelled pair (anchor, candidate, label) is a row of a positive alone, or of a negative alone. It always has a
    category.

    Args:
        source: a file (CSV, TSV, JSON lines, Parquet), `pydoc:retrieval`, `minimal_pairs:train` or
            `minimal_pairs:identity` for the embedded data, a folder of such files or one saved by `datasets`, or a hub
            id (`owner/name:split`, `owner/name@revision:split`). `reworded:` before any of them makes triplets whose
            positives are reworded by rule; `perturb:` before one makes triplets of its texts alone (the extra
            `perturb`).
            Rows of sentence1, sentence2 are identity rows: sentence1 is the anchor and the positive, sentence2 the
            negative, as the paper reads them; with a label they are labelled pairs. The hub's query and answer are
            read as anchor and positive.
        numbers: further columns, of numbers, which every row must have (blank where it has none). What is said of a
            row's negative, `NAME_negative`, no labelled pair has: `NAME` is of its one pair.

    Raises:
        UserError: the source, a column or a value is missing or wrong; the message names file, line and column.
    """
    if numbers and (source.startswith((PERTURB, REWORDED, minimal_pairs.PREFIX, "pydoc:"))):
        raise UserError(f"{source}: has no column '{numbers[0]}', which model.loss needs; give a file that has it")
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
    return held(fingerprint([opened.key, _code(), *numbers]), COLUMNS, _rows(opened, numbers), numbers)


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


def _rows(opened: RowSource, numbers: Sequence[str]) -> Iterator[Cells]:
    """Anchor, positive, negative, category and numbers of each row; None for what it has not."""
    whole, labelled = opened.name, None
    for place, row in opened.records():
        _check_columns(tuple(row), whole or place)
        labelled = _is_labelled(row) if labelled is None else labelled
        if labelled != _is_labelled(row):
            raise UserError(f"{place}: labelled pairs and triplets in one file; give a file of each")
        yield *_texts(whole, place, row), *_numbers(place, row, numbers)
        whole = ""


def _texts(whole: str, place: str, row: Mapping[str, Any]) -> Cells:
    """The four texts of a row."""
    category = category_field(place, row)
    if _is_labelled(row):
        anchor = text_field(place, row, "anchor", "sentence1")
        candidate = text_field(place, row, "candidate", "sentence2")
        pair = (candidate, None) if label_field(place, row) else (None, candidate)
        return anchor, *pair, category or _ALL
    if _is_identity(row):
        anchor = text_field(place, row, "sentence1")
        return anchor, anchor, text_field(place, row, "sentence2"), category
    anchor, positive = (_text(whole, place, row, role) for role in _ALIASES)
    return anchor, positive, optional_text(place, row, "negative"), category


def _numbers(place: str, row: Mapping[str, Any], names: Sequence[str]) -> Iterator[float | None]:
    for name in names:
        is_of_none = _is_labelled(row) and name.endswith(_NEGATIVE)
        yield None if is_of_none else number_field(place, row, name)


def _text(whole: str, place: str, row: Mapping[str, Any], role: str) -> str:
    """The text of a role; where the first row has no such column, no row is expected to have it."""
    names = _ALIASES[role]
    if not any(name in row for name in names):
        lacks = f"{whole}: no column '{role}' (it has {', '.join(row) or 'none'})"
        raise UserError(lacks if whole else f"{place}, column '{role}' is empty")
    return text_field(place, row, *names)


def _is_labelled(row: Mapping[str, Any]) -> bool:
    return "label" in row


def _is_identity(row: Mapping[str, Any]) -> bool:
    return "sentence1" in row and "anchor" not in row


@lru_cache
def _check_columns(names: tuple[str, ...], where: str) -> None:
    """Refuse columns that say something which triplets have no place for, or say one thing twice.

    Raises:
        UserError: such a column is there.
    """
    if ("label" in names or "candidate" in names) and not _are_labelled_pairs(names):
        raise UserError(
            f"{where}: labelled pairs are anchor, candidate, label (or sentence1, sentence2, label), and no triplets "
            f"beside; it has {', '.join(names)}"
        )
    if "sentence1" in names and "anchor" not in names and {"positive", "negative"} & set(names):
        raise UserError(f"{where}: has sentence1, sentence2 beside positive or negative; rename sentence1 to anchor")
    for role, (_, *others) in _ALIASES.items():
        if role not in names and len(set(others) & set(names)) > 1:
            raise UserError(f"{where}: {' and '.join(others)} would both be read as {role}; name one of them {role}")


def _are_labelled_pairs(names: Sequence[str]) -> bool:
    """Whether columns are of labelled pairs alone: a label, and one way to name the two texts."""
    texts = {*names} & {"anchor", "candidate", "sentence1", "sentence2", "positive", "negative"}
    return "label" in names and texts in ({"anchor", "candidate"}, {"sentence1", "sentence2"})
