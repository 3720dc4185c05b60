"""How numbers are shown: headings of metrics, and the paper's statistics beside the corrected ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compret.report.cells import Cell
from compret.report.evidence import Value

TITLES = {
    **{"ndcg@10": "nDCG@10", "mrr@10": "MRR@10", "accuracy@1": "Acc@1", "accuracy@10": "Acc@10"},
    **{"auroc": "AUROC", "negative_mean": "mean score of near-misses", "paired_accuracy": "paired accuracy"},
}
BY_THE_TEST = "Bold: differs from {reference}, p < .05 after Holm over the table (swapped within queries or pairs)."


def title(metric: str) -> str:
    return TITLES.get(metric, metric)


@dataclass(frozen=True)
class Style:
    """Which statistics: `fixed`, or the `paper`'s own, by which its tables can be checked cell by cell."""

    paper: bool = False

    def cell(self, value: Value | None, bold: bool = False) -> Cell:
        if value is None:
            return Cell()
        return Cell(value=value.mean, std=self.std(value), bold=bold)

    def std(self, value: Value) -> float | None:
        """Over seeds: of the sample; in the paper's style of the population."""
        if self.paper and len(value.by_seed) > 1:
            return float(np.std([*value.by_seed.values()]))
        return value.std

    def difference(self, first: Value | None, second: Value | None, bold: bool = False) -> Cell:
        """First minus second; its deviation over seeds where they are the same, or as the paper propagates it."""
        if first is None or second is None:
            return Cell()
        return Cell(value=first.mean - second.mean, std=self._spread(first, second), signed=True, bold=bold)

    def _spread(self, first: Value, second: Value) -> float | None:
        if self.paper:
            one, two = self.std(first), self.std(second)
            return None if one is None or two is None else float(np.hypot(one, two))
        if first.by_seed.keys() != second.by_seed.keys():
            return None
        return Value({seed: value - second.by_seed[seed] for seed, value in first.by_seed.items()}).std

    def caption(self, text: str) -> str:
        return f"{text} [metrics as in the paper: population deviation]" if self.paper else text
