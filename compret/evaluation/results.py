"""results.json, and beside it what its numbers follow from: all that one test run measured, of whatever kinds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from compret.atomic import atomic_write
from compret.evaluation.names import check_names
from compret.evaluation.result import Result
from compret.results_file import read_results_file
from compret.types import UserError


@dataclass(frozen=True)
class Results:
    """All that one test run measured.

    Raises:
        UserError: two datasets have one name, under which the files of one would replace those of the other.
    """

    meta: Mapping[str, Any]
    """What made the results; each dataset's fingerprint goes under "data" and its counts under "counts"."""
    all: Sequence[Result]

    def __post_init__(self) -> None:
        check_names(result.name for result in self.all)

    @property
    def by_kind(self) -> dict[str, list[Result]]:
        """Kind -> its results, in order."""
        kinds = dict.fromkeys(result.kind for result in self.all)
        return {kind: [result for result in self.all if result.kind == kind] for kind in kinds}

    def to_dict(self) -> dict[str, Any]:
        """What results.json holds."""
        return {
            "meta": {
                **self.meta,
                "data": {result.name: result.about() for result in self.all},
                "counts": {result.name: dict(result.counts) for result in self.all},
                "columns": [
                    {"kind": kind, **asdict(column), "same": list(column.same)}
                    for kind, results in self.by_kind.items()
                    for column in results[0].columns
                ],
            },
            **{kind: _with_mean(results) for kind, results in self.by_kind.items()},
            "timing": {result.name: dict(result.seconds) for result in self.all},
        }

    def flat(self) -> dict[str, float]:
        """Defined numbers under sentence-transformers' names: NanoNQ_cosine_ndcg@10, NanoBEIR_mean_cosine_ndcg@10."""
        rows = [(f"{result.name}_{result.score}", result.metrics) for result in self.all]
        suites = dict.fromkeys((r.kind, r.suite, r.score) for r in self.all if r.suite)
        for kind, suite, score in suites:
            members = [r.metrics for r in self.all if (r.kind, r.suite, r.score) == (kind, suite, score)]
            rows.append((f"{suite}_mean_{score}", mean_metrics(members)))
        return {f"{name}_{metric}": value for name, metrics in rows for metric, value in _numbers(metrics)}

    def headline(self) -> float:
        """One number to choose a checkpoint by, in [0, 1], higher is better.

        The mean over the kinds of suites of the mean over their sets, such as nDCG@10, AUROC and paired accuracy, so
        that no kind is bought with another by having more sets.

        Raises:
            UserError: no dataset defines its number.
        """
        kinds = [[result.headline for result in results] for results in self.by_kind.values()]
        defined = [[value for value in values if value is not None] for values in kinds]
        means = [float(np.mean(values)) for values in defined if values]
        if not means:
            raise UserError("no dataset defines its headline number: give judged queries, or pairs of both labels")
        return float(np.mean(means))

    def recomputed(self) -> Results:
        """Every number computed again from what is kept; `to_dict` then equals what was stored."""
        return replace(self, all=[result.recomputed() for result in self.all])

    def write(self, folder: str | Path) -> Path:
        """Write all files into a folder, results.json last, so that where it stands the rest is whole.

        Raises:
            UserError: the folder cannot be written.
        """
        path = Path(folder) / "results.json"
        for result in self.all:
            result.write(path.parent)
        with atomic_write(path) as file:
            json.dump(self.to_dict(), file, indent=2, allow_nan=False)
            file.write("\n")
        return path

    @classmethod
    def read(cls, path: str | Path) -> Results:
        """Results as they were written: values are the stored ones (see `recomputed`).

        Args:
            path: the folder, or the results.json in it.

        Raises:
            UserError: a file is missing or is not what compret writes, or a suite's kind is not imported.
        """
        stored = read_results_file(path)
        for kind in stored.kinds:
            if kind not in Result.kinds:
                raise UserError(f"{stored.path}: '{kind}' is of a suite that is not imported; import it first")
        results = [Result.kinds[kind].read(stored, name) for kind, sets in stored.kinds.items() for name in sets]
        meta = {key: value for key, value in stored.meta.items() if key not in ("data", "counts", "columns")}
        return cls(meta, results)


def mean_metrics(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Unweighted mean of each metric; None where a row has none, since a mean over fewer would pass for the whole."""
    means: dict[str, Any] = {}
    for metric in [metric for metric in rows[0] if all(metric in row for row in rows)]:
        values = [row[metric] for row in rows]
        if isinstance(values[0], Mapping):
            means[metric] = mean_metrics(values)
        else:
            means[metric] = None if None in values else float(np.mean(values))
    return means


def _with_mean(results: Sequence[Result]) -> dict[str, Any]:
    """Set -> metrics, and the mean over those that belong to a suite with means."""
    members = [result.metrics for result in results if result.suite]
    return {**{r.name: dict(r.metrics) for r in results}, **({"mean": mean_metrics(members)} if members else {})}


def _numbers(metrics: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The defined numbers, and those of parts that hold numbers alone, such as a recall stage's."""
    for metric, value in metrics.items():
        if isinstance(value, int | float):
            yield metric, float(value)
        elif isinstance(value, Mapping) and not any(isinstance(inner, Mapping) for inner in value.values()):
            yield from ((f"{metric}_{inner}", number) for inner, number in _numbers(value))
