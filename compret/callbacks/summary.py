"""Summary: the headline numbers of a test or validation as one table, by data set and category."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from compret.tables import show

_HEADINGS = {
    "ndcg@10": "nDCG@10",
    "recall@100": "recall@100",
    "recall_stage": "recalled nDCG@10",
    "auroc": "AUROC",
    "tpr@fpr=0.01": "TPR@FPR=1%",
    "paired_accuracy": "paired accuracy",
    "threshold": "threshold",
    "negative_mean": "near-miss mean",
}
_SPARE = ("texts", "near-miss mean", "recall@100", "recalled nDCG@10", "seconds")
"""What a narrow terminal goes without: results.json has it."""
_TEXTS = {"queries": 1, "documents": 1, "pairs": 2}
"""How many texts one of each count is."""


@dataclass(frozen=True)
class Line:
    """A row of the table: a data set, or a category of one."""

    name: str
    values: Mapping[str, float | None]
    texts: int = 0
    seconds: float = 0.0


class Summary(Callback):
    """Shows the table at the end of `compret test` and `compret validate`."""

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero:
            show(*table(list(lines(_measured(pl_module)))), spare=_SPARE)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "validate" and trainer.is_global_zero:
            show(*table(list(lines(_measured(pl_module)))), spare=_SPARE)


def _measured(module: Any) -> Mapping[str, Any]:
    """What results.json holds of a run that has just ended."""
    content: Mapping[str, Any] = module.bench.results({}).to_dict()
    return content


def lines(results: Mapping[str, Any]) -> Iterator[Line]:
    """A line for each data set and category of what results.json holds, and one for the mean of several sets."""
    headings = _headings(results)
    for kind in [kind for kind in results if kind not in ("meta", "timing")]:
        for name, values in results[kind].items():
            counts = results["meta"]["counts"].get(name, {})
            texts = sum(number * counts.get(count, 0) for count, number in _TEXTS.items())
            seconds = sum(results["timing"].get(name, {}).values())
            if name != "mean" or len(results[kind]) > 2:
                yield Line(name, _numbers(values, headings), texts, seconds)
            for category, below in values.get("categories", {}).items():
                yield Line(f"  {category}", _numbers(below, headings))


def _headings(results: Mapping[str, Any]) -> dict[str, str]:
    """Metric -> heading; also of those that a suite of somebody's own names as its columns."""
    return _HEADINGS | {
        c["metric"]: c["title"] for c in results["meta"].get("columns", ()) if c["metric"] not in _HEADINGS
    }


def _numbers(values: Mapping[str, Any], headings: Mapping[str, str]) -> dict[str, float | None]:
    """The shown values by heading; of the recall stage its nDCG@10."""
    found = {key: values[key] for key in headings if key in values}
    if "recall_stage" in found:
        found["recall_stage"] = values["recall_stage"].get("ndcg@10")
    return {headings[key]: value for key, value in found.items()}


def table(rows: Sequence[Line]) -> tuple[list[str], list[list[str]]]:
    """Headings and cells; a column that no row has a number for is left out."""
    shown = list(dict.fromkeys(name for row in rows for name, value in row.values.items() if value is not None))
    headings = ["set", *shown, "texts", "seconds", "texts/s"]
    return headings, [[row.name, *(_cell(row.values.get(name)) for name in shown), *_speed(row)] for row in rows]


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _speed(row: Line) -> list[str]:
    if not row.texts or not row.seconds:
        return ["", "", ""]
    return [f"{row.texts:,}", f"{row.seconds:.2f}", f"{row.texts / row.seconds:,.0f}"]
