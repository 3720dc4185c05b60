"""What was made and what was not: a table by category, and a sample that is the same under a seed."""

from __future__ import annotations

import itertools
from random import Random

from compret.perturb.perturber import Perturber
from compret.perturb.rows import Row

_REASONS = 2
_BEFORE, _WIDTH = 60, 160


class Sample:
    """Some of the rows of a stream, each as likely as the others (Vitter 1985, algorithm R)."""

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.rng, self.seen = size, Random(seed), 0
        self.rows: list[Row] = []

    def add(self, row: Row) -> None:
        self.seen += 1
        if len(self.rows) < self.size:
            self.rows.append(row)
        elif (place := self.rng.randrange(self.seen)) < self.size:
            self.rows[place] = row


def table(perturber: Perturber) -> str:
    """Markdown, a line a category: the texts that it made a row of, those it did not, and the most common reasons."""
    lines = [["category", "kind", "made", "skipped", "why"]]
    for rule in perturber.rules:
        reasons = perturber.skipped[rule.category]
        why = "; ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common(_REASONS))
        kind = "paraphrase" if rule.label else "near-miss"
        lines.append([rule.category, kind, f"{perturber.made[rule.category]:,}", f"{reasons.total():,}", why])
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    cells = [" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    rule_off = "|".join("-" * (width + 2) for width in widths)
    return "\n".join(["| " + cells[0] + " |", f"|{rule_off}|", *(f"| {cell} |" for cell in cells[1:])]) + "\n"


def shown(row: Row) -> str:
    """A row as a person reads it: the words around the first difference of anchor and candidate."""
    anchor = str(row["anchor"])
    others = [("=" if row.get("label", 1) else "≠", str(row.get("candidate", row.get("positive"))))]
    others += [("≠", str(row["negative"]))] if "negative" in row else []
    lines = [f"  {_around(anchor, other, anchor)}\n{mark} {_around(anchor, other, other)}\n" for mark, other in others]
    return f"{row['category']}\n" + "".join(lines)


def _around(anchor: str, other: str, text: str) -> str:
    same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(anchor, other, strict=False)))
    start, end = max(0, same - _BEFORE), max(0, same - _BEFORE) + _WIDTH
    return ("…" if start else "") + text[start:end].replace("\n", " ") + ("…" if end < len(text) else "")
