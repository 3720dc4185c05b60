"""The values of a row: text, id, category or label, each checked, with an error that names place and column."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from compret.types import UserError

_KINDS = {bool: "a truth value", int: "a number", float: "a number", list: "a list", dict: "an object", bytes: "bytes"}


def text_field(place: str, row: Mapping[str, Any], *names: str) -> str:
    """The first of the named columns that the row has, which must be text and not blank.

    Raises:
        UserError: the row has none of them, or it holds no text.
    """
    text = optional_text(place, row, *names)
    if text is None:
        raise _empty(place, row, names)
    return text


def optional_text(place: str, row: Mapping[str, Any], *names: str) -> str | None:
    """The first of the named columns that the row has, as text; None if there is none or it is blank."""
    name = _column(row, names)
    if name is None or row[name] is None:
        return None
    text = checked_text(place, name, row[name])
    return text if text.strip() else None


def checked_text(place: str, name: str, value: object) -> str:
    """A value that must be text, blank or not.

    Raises:
        UserError: it is something else, or holds half of a surrogate pair, which no file can hold.
    """
    if not isinstance(value, str):
        raise UserError(f"{place}: column '{name}' holds {_kind(value)}, not text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"{place}: column '{name}' holds half of a surrogate pair, which is no text") from error
    return value


def id_field(place: str, row: Mapping[str, Any], *names: str) -> str:
    """The first of the named columns that the row has, a text or a whole number, as text.

    Raises:
        UserError: the row has none of them, or it is empty or no id.
    """
    name = _column(row, names)
    value = None if name is None else row[name]
    if name is None or value is None or value == "":
        raise _empty(place, row, names)
    return checked_id(place, name, value)


def checked_id(place: str, name: str, value: object) -> str:
    """A text or a whole number as text.

    Raises:
        UserError: it is neither, or blank.
    """
    is_number = isinstance(value, int) and not isinstance(value, bool)
    text = str(value) if is_number else checked_text(place, name, value)
    if not text.strip():
        raise UserError(f"{place}, column '{name}' is empty")
    return text


def category_field(place: str, row: Mapping[str, Any]) -> str | None:
    """The category as text (0 is "0"); None where it is absent, blank, or a table's NaN.

    Raises:
        UserError: it is a list or an object.
    """
    value = row.get("category")
    if value is None or value != value:
        return None
    text = str(value) if isinstance(value, int | float) else checked_text(place, "category", value)
    return text.strip() or None


def label_field(place: str, row: Mapping[str, Any]) -> int:
    """A label written as a number, a truth value or text.

    Raises:
        UserError: there is none, or it is neither 1 nor 0.
    """
    if "label" not in row:
        raise UserError(f"{place}: no column 'label' (1 for the same meaning, 0 for a near-miss)")
    match str(row["label"]).strip().lower():
        case "1" | "1.0" | "true":
            return 1
        case "0" | "0.0" | "false":
            return 0
    raise UserError(f"{place}: label '{row['label']}' must be 1 (the same meaning) or 0 (a near-miss)")


def number_field(place: str, row: Mapping[str, Any], name: str) -> float | None:
    """A finite number, or one written as text; None where it is blank or a table's NaN.

    Raises:
        UserError: there is no such column, or it holds no number.
    """
    if name not in row:
        raise UserError(f"{place}: no column '{name}', which model.loss needs (it has {', '.join(map(str, row))})")
    value = row[name]
    if value is None or value != value or str(value).strip() == "":
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise UserError(f"{place}: column '{name}' holds {value!r:.60}, not a finite number")
    return number


def _column(row: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """The first of the names that the row has a value for, else the first that it has."""
    there = [name for name in names if name in row]
    return next((name for name in there if row[name] is not None), there[0] if there else None)


def _empty(place: str, row: Mapping[str, Any], names: tuple[str, ...]) -> UserError:
    name = _column(row, names)
    if name is None:
        return UserError(f"{place}: no column '{names[0]}' (it has {', '.join(map(str, row)) or 'none'})")
    return UserError(f"{place}, column '{name}' is empty")


def _kind(value: object) -> str:
    return _KINDS.get(type(value), type(value).__name__)
