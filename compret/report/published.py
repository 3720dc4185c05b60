"""The paper's published numbers beside ours, and how well its effect is reproduced (repro_eval's measures)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from compret.report.cells import Cell, Table, texts
from compret.report.encoder_tables import by_suite
from compret.report.evidence import Evidence
from compret.report.families import Family
from compret.report.measures import Style, title
from compret.report.targets import Target

_CATEGORIES = {
    "negation": ("negation", "cannot_negation"),
    "binding": ("binding", "binding_negation"),
    "spatial": ("spatial",),
}
"""The paper's categories -> what near-miss files call them."""


@dataclass(frozen=True)
class Side:
    """One number, theirs and ours."""

    role: str
    metric: str
    theirs: float
    ours: float


def published() -> Mapping[str, Any]:
    """The data file; cells that the paper does not give are not there."""
    return json.loads((files("compret.report") / "published.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def rmse(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Root of the mean squared difference of reproduced and published values (repro_eval, Breuer et al. 2020)."""
    return math.sqrt(sum((a - b) ** 2 for a, b in pairs) / len(pairs)) if pairs else None


def effect_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    """Mean reproduced improvement over mean published one (Breuer et al. 2020): 1 is the same effect, 0 none.

    Args:
        ours: advanced minus baseline, of each value; for the paper B minus A.
        theirs: the same of the published values.
    """
    mean = sum(theirs) / len(theirs) if theirs else 0.0
    return sum(ours) / len(ours) / mean if mean else None


def published_tables(evidence: Evidence, families: Sequence[Family], style: Style) -> Iterator[Table]:
    """For each family: theirs, ours and the difference of what the paper gives and we have."""
    content = published()
    for family in families:
        sides = [*_retrieval(evidence, family, content), *_near_misses(evidence, family, content)]
        if sides:
            rows = [
                (
                    *texts(s.role, s.metric),
                    *map(_number, (s.theirs, s.ours)),
                    Cell(value=s.ours - s.theirs, signed=True),
                )
                for s in sides
            ]
            yield Table(
                f"published_{family.name}",
                style.caption(f"The paper beside ours, {family.name}"),
                ("system", "metric", "paper", "ours", "difference"),
                tuple(rows),
                2,
                (f"Source: {content['source']}.", *_measures(sides)),
                is_short=True,
            )


def _measures(sides: Sequence[Side]) -> Iterator[str]:
    """RMSE and effect ratio, for retrieval and for near-misses."""
    for what, of_retrieval in (("retrieval", True), ("near-misses", False)):
        some = [side for side in sides if ("@" in side.metric) is of_retrieval]
        if not some:
            continue
        a, b = ({s.metric: s for s in some if s.role == r} for r in ("baseline", "structneg"))
        both = [metric for metric in a if metric in b]
        ratio = effect_ratio([b[m].ours - a[m].ours for m in both], [b[m].theirs - a[m].theirs for m in both])
        said = "" if ratio is None else f", effect ratio (ours / theirs, of structneg - baseline) {ratio:.2f}"
        yield f"{what}: RMSE {rmse([(s.ours, s.theirs) for s in some]):.3f}{said} (Breuer et al. 2020, repro_eval)."


def _retrieval(evidence: Evidence, family: Family, content: Mapping[str, Any]) -> Iterator[Side]:
    """Means over the paper's suite."""
    for suite, targets in by_suite(evidence).items():
        for role, given in content["systems"].items() if suite in content["suites"] else ():
            system = family.of(role)
            for metric, theirs in given["retrieval"].items() if system else ():
                value = evidence.value(system, targets, metric) if system else None
                if value is not None:
                    yield Side(role, title(metric), theirs, value.mean)


def _near_misses(evidence: Evidence, family: Family, content: Mapping[str, Any]) -> Iterator[Side]:
    """Mean scores of near-misses of a set that has the paper's three categories."""
    for whole in evidence.of_kind("nearmiss"):
        found = _paper_targets(evidence, whole)
        for role, given in content["systems"].items() if len(found) > len(_CATEGORIES) else ():
            system = family.of(role)
            for category, theirs in given["negative_mean"].items() if system else ():
                value = evidence.value(system, found[category], "negative_mean") if system else None
                if value is not None:
                    yield Side(role, f"mean score, {category}", theirs, value.mean)


def _paper_targets(evidence: Evidence, whole: Target) -> dict[str, Target]:
    parts = {t.category: t for t in evidence.targets if t.kind == "nearmiss" and t.name == whole.name and t.category}
    found = {name: parts[call] for name, called in _CATEGORIES.items() for call in called if call in parts}
    return {**found, "overall": whole}


def _number(value: float) -> Cell:
    return Cell(value=value)
