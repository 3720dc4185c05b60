"""What a report knows of a run: the headline numbers of its results.json files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compret.types import UserError

COLUMNS = {"retrieval nDCG@10": ("retrieval", "ndcg@10"), "near-miss AUROC": ("nearmiss", "auroc")}


@dataclass(frozen=True)
class Run:
    """The headline numbers of a run, one for each of COLUMNS: means over its datasets, None where it has none."""

    name: str
    values: tuple[float | None, ...]


def read_run(text: str) -> Run:
    """Read one run's headline numbers from `NAME=PATH,PATH`; the name is the folder's if none is given.

    Raises:
        UserError: no results.json there, or it is not one of compret's.
    """
    name, _, given = text.rpartition("=")
    paths = [Path(part) for part in given.split(",")]
    stored = [_read(path / "results.json" if path.is_dir() else path) for path in paths]
    values = tuple(_mean([entry for results in stored for entry in _entries(results, *c)]) for c in COLUMNS.values())
    return Run(name or paths[0].name, values)


def _read(path: Path) -> dict[str, Any]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {room: dict(stored[room]) for room, _ in COLUMNS.values()}
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give a results.json or its folder") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a results.json of compret ({error!r})") from error


def _entries(results: dict[str, Any], room: str, key: str) -> list[float]:
    """The defined values of a room's datasets."""
    found = (entry.get(key) for name, entry in results[room].items() if name != "mean")
    return [float(value) for value in found if value is not None]


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
