"""results.json as it is read, by all who read it: each part is checked once, and an error names file and key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compret.files import Settings, read_json, reading
from compret.types import UserError

_MOST_BYTES = 16 << 20
"""A test run of 50 sets writes less than 1 MB."""


@dataclass(frozen=True)
class ResultsFile:
    """What a results.json holds: numbers are finite or None, and each set has its facts."""

    path: Path
    meta: Mapping[str, Any]
    kinds: Mapping[str, Mapping[str, Mapping[str, Any]]]
    """Kind of suite -> set -> metric -> value; without the mean, which follows from them."""
    timing: Mapping[str, Mapping[str, float]]

    def about(self, name: str) -> Mapping[str, Any]:
        """A set's fingerprint, what it was scored by and the like."""
        return self.meta["data"][name]  # type: ignore[no-any-return]

    def check_rows(self, path: Path, name: str, rows: int, *counts: str) -> None:
        """Hold a file beside this one to as many rows as the dataset's counts say.

        Raises:
            UserError: it has more or fewer.
        """
        expected = sum(self.meta["counts"][name].get(count, 0) for count in counts)
        if rows != expected:
            raise UserError(f"{path}: {rows} {counts[0]}, where {self.path} counts {expected}; give the whole file")


def read_results_file(path: str | Path) -> ResultsFile:
    """Read a results.json, given by its path or by the folder it stands in.

    Raises:
        UserError: there is none, or it is not as compret writes it.
    """
    with reading(f"{path}: cannot be read"):
        file = Path(path) / "results.json" if Path(path).is_dir() else Path(path)
    stored = Settings(str(file), read_json(file, _MOST_BYTES))
    meta, timing = stored.part("meta"), stored.part("timing")
    data, counts = meta.part("data"), meta.part("counts")
    kinds: dict[str, dict[str, Any]] = {}
    for kind in [key for key in stored.content if key not in ("meta", "timing")]:
        entries = stored.part(kind)
        kinds[kind] = {name: entries.part(name).content for name in entries.content if name != "mean"}
        for name in entries.content:
            _check_numbers(entries.part(name))
        for name in kinds[kind]:
            _check_facts(data.part(name), counts.part(name), timing.part(name))
    return ResultsFile(file, meta.content, kinds, timing.content)


def stem(name: str) -> str:
    """A dataset's name as a file's: cqadupstack/android becomes cqadupstack_android."""
    return re.sub(r"[/\\]", "_", name)


def _check_numbers(entry: Settings) -> None:
    """All values are numbers or null, also of the recall stage and of categories, which lie within."""
    for key, value in entry.content.items():
        if isinstance(value, Mapping):
            _check_numbers(entry.part(key))
        else:
            entry.number(key, None)


def _check_facts(about: Settings, counts: Settings, seconds: Settings) -> None:
    for key in {"fingerprint", "score", *about.content}:
        about.text(key)
    for key in counts.content:
        counts.whole(key, 0)
    for key in seconds.content:
        seconds.number(key)
