"""Names of a run's datasets: each is the name of files of its results, so that it must be one, and its own."""

from __future__ import annotations

from collections.abc import Iterable

from compret.results_file import stem as file_stem
from compret.types import UserError

_LONGEST = 200
"""Bytes; systems take 255, and a result's files add to the name."""


def check_names(names: Iterable[str]) -> None:
    """Refuse names that results cannot be written under, before anything is encoded.

    Raises:
        UserError: a name stands twice, also as a file's; or is none that a file or results.json can have.
    """
    taken: dict[str, str] = {}
    for name in names:
        stem = file_stem(name)
        if stem in taken:
            beside = "twice" if taken[stem] == name else f"beside '{taken[stem]}', whose files have the same names"
            raise UserError(f"dataset '{name}' stands there {beside}; a run's datasets need names of their own")
        if stem == "mean":
            raise UserError("dataset 'mean': results.json has the mean over datasets there; give it another name")
        if not stem.strip(". ") or not stem.isprintable() or len(stem.encode()) > _LONGEST:
            shown = f"{name[:30]}..." if len(name) > _LONGEST else repr(name)
            raise UserError(f"dataset {shown}: no name for its results' files; at most {_LONGEST} bytes, all printable")
        taken[stem] = name
