"""All that the runs of an experiment say: tables, and the notes that belong to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from compret.report.cells import Table
from compret.report.collect import Collection, Found, collect
from compret.report.encoder_tables import encoder_tables
from compret.report.evidence import Evidence
from compret.report.families import Family, families, references
from compret.report.grid import Reference
from compret.report.measures import Style
from compret.report.near_miss_tables import near_miss_tables
from compret.report.published import published_tables
from compret.report.verifier_tables import verifier_tables


@dataclass(frozen=True)
class Whole:
    """A report before it is written."""

    collection: Collection
    evidence: Evidence
    families: tuple[Family, ...]
    reference: Reference
    tables: tuple[Table, ...]
    notes: tuple[str, ...]


def whole(
    given: Sequence[str],
    baseline: str | None = None,
    paper: bool = False,
    layout: str = "combined",
    published: bool = False,
) -> Whole:
    """Read the runs and measure what they say.

    Args:
        given: runs, or folders of runs.
        baseline: see `families`.
        paper: metrics as in the paper.
        layout: of the encoders' tables.
        published: with the paper's numbers beside ours.

    Raises:
        UserError: there are no runs, or no such baseline.
    """
    collection = collect(given)
    evidence, grouped = Evidence(collection.systems), tuple(families(collection.systems, baseline))
    reference, style = references(grouped), Style(paper)
    tables = (
        *encoder_tables(evidence, grouped, reference, style, layout),
        *verifier_tables(evidence, reference, style),
        *near_miss_tables(evidence, reference, style),
        *(published_tables(evidence, grouped, style) if published else ()),
    )
    if published and not any(table.name.startswith("published_") for table in tables):
        evidence.problems.append("--paper: no system here is one that the paper gives numbers of")
    notes = (*collection.notes, *_versions(collection.runs), *dict.fromkeys(evidence.problems))
    return Whole(collection, evidence, grouped, reference, tables, notes)


def _versions(runs: Sequence[Found]) -> Iterator[str]:
    """Numbers of different versions of compret may be computed differently."""
    versions = sorted({str(dict(run.meta.get("versions") or {}).get("compret")) for run in runs})
    if len(versions) > 1:
        yield f"runs of different versions of compret stand side by side: {', '.join(versions)}"
