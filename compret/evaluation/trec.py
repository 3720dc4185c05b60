"""Rankings and judgements in TREC's columns, and beside them each query's values, as other tools read them.

Ids are written as one column, white space and % as in URLs; alike in runs and judgements, so that other tools match.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from compret.atomic import atomic_write
from compret.files import checked_file, read_json_lines, reading
from compret.metrics.ranking import METRICS, Qrels, Run

TAG = "compret"
"""Name of the system in the run files."""


def write_run(path: Path, run: Run) -> None:
    """Six columns: query, Q0, document, rank, score, system; scores in full, so that they read back the same."""
    with atomic_write(path) as file:
        for query, ranking in run.items():
            for rank, (document, score) in enumerate(ranking, 1):
                file.write(f"{_column(query)} Q0 {_column(document)} {rank} {float(score)!r} {TAG}\n")


def read_run(path: Path) -> dict[str, list[tuple[str, float]]]:
    """Query id -> (document id, score), in the order of the file.

    Raises:
        UserError: the file cannot be read, or a line has not its six columns and a finite score.
    """
    run: dict[str, list[tuple[str, float]]] = {}
    for query, _, document, _, score, _ in _rows(path, 6):
        run.setdefault(unquote(query), []).append((unquote(document), _finite(path, score)))
    return run


def write_qrels(path: Path, qrels: Qrels) -> None:
    """Four columns: query, 0, document, grade."""
    with atomic_write(path) as file:
        for query, judged in qrels.items():
            file.writelines(f"{_column(query)} 0 {_column(document)} {grade}\n" for document, grade in judged.items())


def read_qrels(path: Path) -> dict[str, dict[str, int]]:
    """Query id -> document id -> grade.

    Raises:
        UserError: the file cannot be read, or a line has not its four columns and a whole grade.
    """
    qrels: dict[str, dict[str, int]] = {}
    for query, _, document, grade in _rows(path, 4):
        with reading(f"{path}: not as compret writes it"):
            qrels.setdefault(unquote(query), {})[unquote(document)] = int(grade)
    return qrels


def write_per_query(path: Path, per_query: Mapping[str, Mapping[str, float]]) -> None:
    """JSON lines: a query's id and its value of each metric."""
    queries = next(iter(per_query.values()), {})
    rows = ({"query": q, **{metric: values[q] for metric, values in per_query.items()}} for q in queries)
    write_json_lines(path, rows)


def read_per_query(path: Path) -> dict[str, dict[str, float]]:
    """Metric -> query id -> value.

    Raises:
        UserError: the file cannot be read, or a query has not its number of each metric.
    """
    rows = [(row.text("query"), row) for row in read_json_lines(path)]
    return {metric: {query: row.number(metric) for query, row in rows} for metric in METRICS}


def write_json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with atomic_write(path) as file:
        file.writelines(json.dumps(row, allow_nan=False) + "\n" for row in rows)


def _rows(path: Path, columns: int) -> Iterator[list[str]]:
    checked_file(path)
    with reading(f"{path}: not as compret writes it"):
        for line in path.read_text(encoding="utf-8").split("\n"):
            row = line.split()
            if row and len(row) != columns:
                raise ValueError(f"{len(row)} columns where there are {columns}")
            if row:
                yield row


def _finite(path: Path, score: str) -> float:
    with reading(f"{path}: not as compret writes it"):
        value = float(score)
        if not math.isfinite(value):
            raise ValueError(f"the score {score} is not finite")
        return value


def _column(name: str) -> str:
    return re.sub(r"[\s%]", lambda found: quote(found[0], safe=""), name)
