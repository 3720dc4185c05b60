"""One HTML page that needs nothing else: tables, figures, examples, and where every number comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from compret.report.cells import Cell, Table, texts
from compret.report.collect import Found
from compret.report.examples import MOST, examples
from compret.report.render import environment, html
from compret.report.whole import Whole

_TABLES, _FIGURES, _EXAMPLES = 900_000, 600_000, 300_000
"""Bytes of each in a page, which stays below 2 MB."""
_SECTIONS = {"encoder": "Encoders", "verifier": "Verifiers", "nearmiss": "Near-misses", "published": "The paper"}
_FACTS = ("backbone", "revision", "checkpoint", "config_hash", "max_length", "device", "precision")


@dataclass(frozen=True)
class Inline:
    """A figure within the page."""

    name: str
    caption: str
    svg: str


@dataclass
class Page:
    """What the template shows; filled part by part, each within its room."""

    title: str
    report: Whole
    figures: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Tables and figures that there was no room for."""
    _room: int = _FIGURES

    def add(self, figure: Inline) -> None:
        """Take a figure in, if there is room."""
        if len(figure.svg) > self._room:
            self.left_out.append(figure.name)
            return
        self._room -= len(figure.svg)
        self.figures.append({"name": figure.name, "caption": figure.caption, "svg": figure.svg})

    def render(self) -> str:
        """The page as a text."""
        tables, shown = self._tables(), self._examples()
        notes = list(self.report.notes)
        if self.left_out:
            notes.append(f"no room on this page, see --format csv,svg: {', '.join(self.left_out)}")
        collection = self.report.collection
        sections = [*tables, *(["Figures"] if self.figures else []), *(["Examples"] if shown else []), "Provenance"]
        page = {
            "title": self.title,
            "systems": len(collection.systems),
            "runs": len(collection.runs),
            "skipped": collection.skipped,
            "sections": sections,
            "notes": notes,
            "tables": tables,
            "figures": self.figures,
            "examples": shown,
            "examples_note": f"Of each category, what systems get most wrong or disagree on; at most {MOST} pairs. "
            "Words that the other text has not are marked. Place: the share of the set's pairs that score no higher.",
            "provenance": html(provenance(collection.runs)),
        }
        return environment().get_template("page.html.jinja").render(page=page)

    def _tables(self) -> dict[str, list[str]]:
        """Section -> its tables, short ones first, until there is no room."""
        room = _TABLES
        found: dict[str, list[str]] = {name: [] for name in _SECTIONS.values()}
        for table in sorted(self.report.tables, key=lambda table: not table.is_short):
            shown = html(table)
            if len(shown) > room:
                self.left_out.append(table.name)
                continue
            room -= len(shown)
            found[_SECTIONS[table.name.partition("_")[0]]].append(shown)
        return {name: tables for name, tables in found.items() if tables}

    def _examples(self) -> str | None:
        """As JSON that no text can end; fewer where they are too long."""
        found = examples(self.report.evidence)
        while found:
            shown = json.dumps(found).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
            if len(shown) <= _EXAMPLES:
                return shown
            found["pairs"] = found["pairs"][: len(found["pairs"]) * _EXAMPLES // (len(shown) + 1)]
            found = found if found["pairs"] else {}
        return None


def provenance(runs: Sequence[Found]) -> Table:
    """Where each run's numbers come from: folder, command, config and model."""
    headings = ("run", "system", "seed", "folder", "command", *_FACTS, "compret")
    rows = tuple(tuple(_facts(run)) for run in runs)
    note = "The whole configuration is config.yaml in the folder; results.json there has versions and fingerprints."
    return Table("provenance", "Runs", headings, rows, len(headings), (note,))


def _facts(run: Found) -> Iterator[Cell]:
    meta = run.meta
    yield from texts(
        run.name, run.system, "" if run.seed is None else str(run.seed), str(run.folder), run.command or ""
    )
    yield from texts(*("" if meta.get(fact) is None else str(meta[fact]) for fact in _FACTS))
    yield from texts(str(dict(meta.get("versions") or {}).get("compret", "")))
