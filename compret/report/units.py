"""What a number varies over, read from the files beside results.json: queries, or groups of pairs that share texts.

U units. The mean of a measure's values over the units is the number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compret.files import checked_file, first_line, reading
from compret.metrics.placements import connected, swap_values, unit_values
from compret.types import UserError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Queries:
    """Values of each query."""

    ids: tuple[str, ...]
    values: Mapping[str, Floats]
    """Metric -> `(U,)`."""


@dataclass(frozen=True)
class PairTexts:
    """Labelled pairs, which all systems that were asked them share."""

    anchors: Sequence[str]
    candidates: Sequence[str]
    labels_P: NDArray[np.int64]
    categories: Sequence[str]

    @cached_property
    def names(self) -> list[str]:
        """The categories that have near-misses, sorted."""
        return sorted({c for c, label in zip(self.categories, self.labels_P, strict=True) if label == 0})

    @cached_property
    def _groups_P(self) -> NDArray[np.int64]:
        return connected(self.anchors, self.candidates)

    @cached_property
    def _rows(self) -> dict[str | None, tuple[NDArray[np.intp], NDArray[np.intp]]]:
        return {}

    def rows_of(self, category: str | None) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The pairs of a category, and their groups, numbered from 0.

        As its metrics take them: near-misses with the category's own paraphrases, or where it has none, with all.
        """
        if category not in self._rows:
            mine_P = np.array([category in (None, name) for name in self.categories])
            if not (mine_P & (self.labels_P == 1)).any():
                mine_P |= self.labels_P == 1
            rows = np.flatnonzero(mine_P)
            self._rows[category] = rows, np.unique(self._groups_P[rows], return_inverse=True)[1]
        return self._rows[category]

    def same_as(self, other: PairTexts) -> bool:
        mine, theirs = ((p.anchors, p.candidates, p.labels_P.tolist(), p.categories) for p in (self, other))
        return mine == theirs


@dataclass(frozen=True)
class Pairs:
    """One system's scores of pairs; over the same pairs, `texts` is the same object."""

    texts: PairTexts
    scores_P: Floats


def auroc_units(pairs: Pairs, category: str | None = None) -> Floats:
    """Values whose mean is the AUROC, of pairs of both labels (see `unit_values`)."""
    rows, groups = pairs.texts.rows_of(category)
    return unit_values(pairs.scores_P[rows], pairs.texts.labels_P[rows], groups)


def auroc_swaps(a: Pairs, b: Pairs, category: str | None = None) -> Floats:
    """Values whose mean is the difference of two AUROCs over the same pairs (see `swap_values`)."""
    rows, groups = a.texts.rows_of(category)
    return swap_values(a.scores_P[rows], b.scores_P[rows], a.texts.labels_P[rows], groups)


class Files:
    """Reads the files beside results.json, each once.

    Raises:
        UserError: a file is missing or not as compret writes it.
    """

    def __init__(self) -> None:
        self._queries: dict[Path, Queries] = {}
        self._pairs: dict[Path, Pairs] = {}
        self._texts: list[PairTexts] = []

    def queries(self, path: Path) -> Queries:
        if path not in self._queries:
            rows = _rows(path, "query", str)
            with reading(f"{path}: not as compret writes it"):
                metrics = [key for key in rows[0] if key != "query"] if rows else []
                values = {metric: _finite([row[metric] for row in rows]) for metric in metrics}
            self._queries[path] = Queries(tuple(row["query"] for row in rows), values)
        return self._queries[path]

    def pairs(self, path: Path) -> Pairs:
        if path not in self._pairs:
            rows = _rows(path, "anchor", str)
            with reading(f"{path}: not as compret writes it"):
                columns = {key: [row[key] for row in rows] for key in ("anchor", "candidate", "category")}
                if not all(isinstance(text, str) for column in columns.values() for text in column):
                    raise ValueError("anchor, candidate and category must be texts")
                labels, scores = ([row[key] for row in rows] for key in ("label", "score"))
                if not {*labels} <= {0, 1}:
                    raise ValueError("'label' must be 1 or 0")
                labels_P, scores_P = np.array(labels, dtype=np.int64), _finite(scores)
            texts = PairTexts(columns["anchor"], columns["candidate"], labels_P, columns["category"])
            self._pairs[path] = Pairs(self._shared(texts), scores_P)
        return self._pairs[path]

    def contrasts(self, path: Path) -> Queries:
        """NevIR's pairs, numbered: whether both queries find their document."""
        rows = _rows(path, "scores", list)
        with reading(f"{path}: not as compret writes it"):
            scores_P22 = _finite(np.ravel([row["scores"] for row in rows]).tolist()).reshape(-1, 2, 2)
        right_P = (scores_P22[:, 0, 0] > scores_P22[:, 0, 1]) & (scores_P22[:, 1, 1] > scores_P22[:, 1, 0])
        ids = tuple(json.dumps([row.get("queries"), row.get("documents")]) for row in rows)
        return Queries(ids, {"paired_accuracy": right_P.astype(np.float64)})

    def _shared(self, texts: PairTexts) -> PairTexts:
        """The pairs as they were read before, if they were."""
        known = next((known for known in self._texts if known.same_as(texts)), None)
        if known is None:
            self._texts.append(texts)
        return known or texts


def _finite(values: Sequence[float]) -> Floats:
    array = np.array(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ValueError("finite numbers are needed")
    return array


def _rows(path: Path, key: str, kind: type) -> list[dict[str, Any]]:
    """The mappings of a JSON Lines file, parsed as one list, which takes a tenth of the time of one by one."""
    checked_file(path)
    try:
        lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line]
        rows = json.loads(f"[{','.join(lines)}]")
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: not as compret writes it ({first_line(error)})") from error
    if len(rows) != len(lines) or not all(isinstance(row, dict) and isinstance(row.get(key), kind) for row in rows):
        raise UserError(f"{path}: not as compret writes it: each line a mapping with '{key}'")
    return rows  # type: ignore[no-any-return]
