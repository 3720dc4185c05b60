"""Values of systems side by side, and how sure their differences are: the one place that compares systems.

R resamples, S seeds, U units, K pairs of systems.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compret.files import reading
from compret.metrics.stats import over_seeds, percentile_interval, resampled_means, sample_std, sign_flip_columns
from compret.report.collect import Found, System
from compret.report.targets import Place, Target, targets_of, value_of
from compret.report.units import Files, Pairs, PairTexts, Queries, auroc_swaps, auroc_units
from compret.results_file import stem
from compret.types import UserError

Floats = NDArray[np.float64]

RETRIEVAL_METRICS = ("ndcg@10", "mrr@10", "accuracy@1", "accuracy@10")
"""Those of the paper's tables."""
_UNITS = {"retrieval": RETRIEVAL_METRICS, "nearmiss": ("auroc",), "nevir": ("paired_accuracy",)}
"""Kind -> metrics that are means over units whose values stand beside results.json."""
RESAMPLES = 2_000
"""Of intervals: their ends then vary by some 3 % of their width."""


@dataclass(frozen=True)
class Value:
    """A system's number: over its seeds, and where it is a mean, over sets."""

    by_seed: Mapping[int | None, float]

    @property
    def mean(self) -> float:
        return sum(self.by_seed.values()) / len(self.by_seed)

    @property
    def std(self) -> float | None:
        """Of the sample of seeds; None for one seed."""
        return sample_std([*self.by_seed.values()])


@dataclass(frozen=True)
class Contrast:
    """The difference of a system and its reference, first minus second."""

    first: float
    second: float
    low: float | None
    """95 % interval over queries or pairs, and over seeds where there are some; None where nothing is kept by unit."""
    high: float | None
    p: float | None
    """Of no difference, uncorrected."""

    @property
    def difference(self) -> float:
        return self.first - self.second


class Evidence:
    """What the runs of some systems say.

    Args:
        systems: with names of their own.
    """

    def __init__(self, systems: Sequence[System]) -> None:
        self.systems, self.files = tuple(systems), Files()
        self.problems: list[str] = []
        """Why some numbers have no test."""
        self._draws: dict[tuple[Target, str], dict[str, Floats]] = {}
        self._units: dict[tuple[Target, str, str], Floats] = {}
        self._ids: dict[Target, tuple[str, ...]] = {}
        self._pairs_of: dict[tuple[str, str], PairTexts] = {}

    @cached_property
    def _runs(self) -> dict[tuple[str, Target], dict[int | None, Found]]:
        """System and target -> seed -> run."""
        found: dict[tuple[str, Target], dict[int | None, Found]] = {}
        for system in self.systems:
            for run in system.runs:
                for target in targets_of(run):
                    found.setdefault((system.name, target), {})[run.seed] = run
        return found

    @cached_property
    def targets(self) -> list[Target]:
        """The targets that tables show: of each set's name, the one that most runs share."""
        runs = Counter({target: 0 for _, target in self._runs})
        for (_, target), by_seed in self._runs.items():
            runs[target] += len(by_seed)
        best: dict[Place, Target] = {}
        for target in runs:
            before = best.setdefault(target.place, target)
            if runs[target] > runs[before]:
                best[target.place] = target
        return list(best.values())

    def all_of(self, system: System) -> dict[Place, Target]:
        """What a system was asked.

        Raises:
            UserError: its own runs were not asked the same.
        """
        found: dict[Place, Target] = {}
        for name, target in self._runs:
            if name == system.name and found.setdefault(target.place, target) != target:
                said = target.differences(found[target.place])
                raise UserError(f"{name}: its runs are not comparable on {target.name}: {said}")
        return found

    def of_kind(self, kind: str, *part: str) -> list[Target]:
        """The targets of a kind, for a part of a set or the whole of it."""
        return [target for target in self.targets if target.kind == kind and target.part == part]

    def others(self, system: System, target: Target) -> list[Target]:
        """Those under which a system was measured on what is called the same, but is not comparable."""
        return [t for (name, t) in self._runs if name == system.name and t.place == target.place and t != target]

    def value(self, system: System, targets: Target | Sequence[Target], metric: str) -> Value | None:
        """A number, or the mean over sets; None unless it is defined for all of them, over seeds that have all."""
        each = [targets] if isinstance(targets, Target) else list(targets)
        runs = [self._runs.get((system.name, target), {}) for target in each]
        by_seed: dict[int | None, float] = {}
        for seed in runs[0] if runs else ():
            values = [value_of(r[seed], t, metric) for r, t in zip(runs, each, strict=True) if seed in r]
            defined = [value for value in values if value is not None]
            if len(defined) == len(each):
                by_seed[seed] = sum(defined) / len(defined)
        return Value(by_seed) if by_seed else None

    def contrasts(
        self, targets: Sequence[Target], metric: str, pairs: Sequence[tuple[System, System]]
    ) -> list[Contrast | None]:
        """Compare pairs of systems on a set, or on the mean over several, in which each set counts the same.

        The p-value swaps systems within queries, or within groups of pairs (`sign_flip_columns`); the interval draws
        queries and seeds with replacement (`resampled_means`, `over_seeds`). None where either has no number.
        """
        values = [tuple(self.value(system, targets, metric) for system in pair) for pair in pairs]
        known = [bool(a and b) for a, b in values]
        usable = [k and self._have_units(targets, metric, pair) for k, pair in zip(known, pairs, strict=True)]
        tested = iter(self._tested(targets, metric, [pair for use, pair in zip(usable, pairs, strict=True) if use]))
        found: list[Contrast | None] = []
        for (a, b), use in zip(values, usable, strict=True):
            sure = next(tested) if use else (None, None, None)
            found.append(Contrast(a.mean, b.mean, *sure) if a and b else None)
        return found

    def _have_units(self, targets: Sequence[Target], metric: str, pair: tuple[System, System]) -> bool:
        return all(self._has_units(target, metric, system.name) for target in targets for system in pair)

    def _has_units(self, target: Target, metric: str, system: str) -> bool:
        """Whether a system's values by unit can be read; if not, it is a problem that is told."""
        if metric not in _UNITS.get(target.kind, ()):
            return False
        try:
            self._over_units(target, system, metric)
        except UserError as error:
            self.problems.append(f"{system}: no test of {metric} on {target.label}: {error}")
            return False
        return True

    def _tested(
        self, targets: Sequence[Target], metric: str, pairs: Sequence[tuple[System, System]]
    ) -> list[tuple[float, float, float | None]]:
        """Interval and p-value of each pair."""
        if not pairs:
            return []
        blocks = [np.stack([self._flips(t, metric, *pair) for pair in pairs], axis=1) for t in targets]
        draws = [self._drawn(target, metric) for target in targets]
        units = sum(map(len, blocks))
        p_K = sign_flip_columns(np.concatenate([b * (units / len(blocks) / len(b)) for b in blocks]))
        found: list[tuple[float, float, float | None]] = []
        for (a, b), p in zip(pairs, p_K, strict=True):
            difference_R = np.mean([d[a.name] - d[b.name] for d in draws], axis=0)
            found.append((*percentile_interval(difference_R), None if np.isnan(p) else float(p)))
        return found

    def _flips(self, target: Target, metric: str, a: System, b: System) -> Floats:
        """`(U,)`: its mean is the difference of the systems, and a unit's sign its side."""
        ours, theirs = self._runs[a.name, target], self._runs[b.name, target]
        if target.kind != "nearmiss":
            first, second = (self._over_units(target, system, metric).mean(1) for system in (a.name, b.name))
            return np.asarray(first - second)
        paired = ours.keys() == theirs.keys()
        runs = [(ours[s], theirs[t]) for s in ours for t in theirs if s == t or not paired]
        each = ([self.pairs(run, target) for run in pair] for pair in runs)
        return np.asarray(np.mean([auroc_swaps(one, other, target.category) for one, other in each], axis=0))

    def _drawn(self, target: Target, metric: str) -> dict[str, Floats]:
        """System -> resampled values, `(R,)`; all of a target are drawn at once."""
        if (target, metric) not in self._draws:
            names = [name for name, t in self._runs if t == target and self._has_units(target, metric, name)]
            columns = [self._over_units(target, name, metric) for name in names]
            means_RC = resampled_means(np.concatenate(columns, axis=1), RESAMPLES, zlib.crc32(repr(target).encode()))
            parts = np.split(means_RC, np.cumsum([column.shape[1] for column in columns])[:-1], axis=1)
            seeds = [[*self._runs[name, target]] for name in names]
            drawn = [over_seeds(part, own) for part, own in zip(parts, seeds, strict=True)]
            self._draws[target, metric] = dict(zip(names, drawn, strict=True))
        return self._draws[target, metric]

    def _over_units(self, target: Target, system: str, metric: str) -> Floats:
        """`(U, S)`: the mean of a column is that seed's number."""
        if (target, system, metric) not in self._units:
            runs = self._runs[system, target].values()
            values = [self._by_unit(target, run, metric) for run in runs]
            self._units[target, system, metric] = np.stack(values, axis=1)
        return self._units[target, system, metric]

    def _by_unit(self, target: Target, run: Found, metric: str) -> Floats:
        if target.kind == "nearmiss":
            pairs = self.pairs(run, target)
            with reading(f"{run.folder}: {target.label}"):
                return auroc_units(pairs, target.category)
        queries = self.queries(run, target)
        if queries.ids != self._ids.setdefault(target, queries.ids):
            raise UserError(f"{run.folder}: other queries of {target.name} than the other runs have")
        if metric not in queries.values:
            raise UserError(f"{run.folder}: no {metric} by query of {target.name}; run compret test again")
        return queries.values[metric]

    def queries(self, run: Found, target: Target) -> Queries:
        """A run's values by query, or by pair of NevIR."""
        if target.kind == "nevir":
            return self.files.contrasts(self._beside(run, target, "scores"))
        return self.files.queries(self._beside(run, target, "per_query"))

    def pairs(self, run: Found, target: Target) -> Pairs:
        """A run's scores of a near-miss set; all of a target are of the same pairs, or it is an error."""
        found = self.files.pairs(self._beside(run, target, "scores"))
        if found.texts is not self._pairs_of.setdefault((target.name, target.fingerprint), found.texts):
            raise UserError(f"{run.folder}: other pairs of {target.name} than the other runs have")
        return found

    def runs_of(self, system: System, target: Target) -> list[Found]:
        """The runs that measured it, one a seed."""
        return [*self._runs.get((system.name, target), {}).values()]

    def _beside(self, run: Found, target: Target, room: str) -> Path:
        file = run.file_of(target.kind, target.name) or run.files[0]
        end = ".recall_stage" if target.part == ("recall_stage",) else ""
        return file.path.parent / room / f"{stem(target.name)}{end}.jsonl"
