"""Verifiers: retrieval before and after re-ranking, frozen and end to end, with what they cost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from compret.report.cells import Cell, Table, joined, texts
from compret.report.collect import System
from compret.report.encoder_tables import by_suite
from compret.report.evidence import RETRIEVAL_METRICS, Evidence, Value
from compret.report.families import is_encoder
from compret.report.grid import Column, Reference, grid, tests_table
from compret.report.measures import BY_THE_TEST, Style, title
from compret.report.targets import Target

_PAPER_SETS = {"nanomsmarco", "nanonq", "msmarco", "nq"}
"""The two of NanoBEIR that the paper's verifiers are measured on."""
_QUIRK = "Acc@1 is the mean of Acc@1 and Acc@10, as the paper's code averages it."


def verifier_tables(evidence: Evidence, reference: Reference, style: Style) -> Iterator[Table]:
    """A table a suite, and all tests."""
    systems = [system for system in evidence.systems if not is_encoder(system)]
    for suite, all_targets in by_suite(evidence).items() if systems else ():
        chosen = [t for t in all_targets if t.name.lower() in _PAPER_SETS] if style.paper else []
        targets = tuple(chosen or all_targets)
        across = [Column("Mean", targets)]
        grids = {m: grid(evidence, m, across, systems, reference, style) for m in RETRIEVAL_METRICS}
        rows: list[tuple[Cell, ...]] = []
        for system in systems:
            names, cost = [verifier_name(system), mode(system)], [parameters(system), milliseconds(system)]
            before = _encoder_cells(evidence, targets, system, style)
            after = [grids[m].value(system, across[0]) for m in RETRIEVAL_METRICS]
            after[2] = _quirk(evidence, targets, system, style) or after[2]
            rows.append(joined([texts(*names, "encoder"), before, [Cell(), Cell()]]))
            rows.append(joined([texts(*names, "+ verifier"), after, cost]))
        headings = ("verifier", "mode", "stage", *map(title, RETRIEVAL_METRICS), "parameters", "ms a pair")
        caption = style.caption(f"{suite}: before and after re-ranking, mean over {len(targets)} sets")
        notes = (BY_THE_TEST.format(reference="the reference"), *((_QUIRK,) if style.paper else ()))
        yield Table(f"verifier_{suite}", caption, headings, tuple(rows), 3, notes, is_short=True)
        tests = [row for one in grids.values() for row in one.tests()]
        if tests:
            yield tests_table(f"verifier_{suite}_tests", f"{suite}, verifiers: differences, intervals and tests", tests)


def verifier_name(system: System) -> str:
    described = system.meta.get("verifier")
    path = described.get("class_path", "") if isinstance(described, Mapping) else ""
    return str(path).rpartition(".")[2] or system.name


def mode(system: System) -> str:
    """frozen or e2e, as results.json has it or else the system's name."""
    known = system.meta.get("mode")
    found = re.search(r"frozen|e2e", system.name)
    return known if isinstance(known, str) else found[0] if found else "-"


def parameters(system: System) -> Cell:
    count = system.meta.get("verifier_parameters")
    return Cell(text=f"{count:,}") if isinstance(count, int) else Cell()


def milliseconds(system: System) -> Cell:
    """Of verifying a pair, over all sets whose seconds and pairs are known."""
    seconds = pairs = 0.0
    for run in system.runs:
        for file in run.files:
            for name, timing in file.timing.items():
                scored = file.meta["counts"].get(name, {}).get("verified_pairs")
                if "verify" in timing and scored:
                    seconds, pairs = seconds + timing["verify"], pairs + scored
    return Cell(value=1000 * seconds / pairs) if pairs else Cell()


def _encoder_cells(evidence: Evidence, targets: Sequence[Target], system: System, style: Style) -> list[Cell]:
    """The recall stage's numbers."""
    before = [replace(target, part=("recall_stage",)) for target in targets]
    cells = [style.cell(evidence.value(system, before, metric)) for metric in RETRIEVAL_METRICS]
    cells[2] = _quirk(evidence, before, system, style) or cells[2]
    return cells


def _quirk(evidence: Evidence, targets: Sequence[Target], system: System, style: Style) -> Cell | None:
    """The paper's mean Acc@1, which averages in Acc@10, since it looks for names that begin with accuracy@1."""
    if not style.paper:
        return None
    one, ten = (evidence.value(system, targets, metric) for metric in ("accuracy@1", "accuracy@10"))
    if one is None or ten is None:
        return Cell()
    return style.cell(Value({seed: (value + ten.by_seed[seed]) / 2 for seed, value in one.by_seed.items()}))
