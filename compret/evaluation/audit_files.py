"""An audit for its readers: a table, a report in Markdown, audit.json and the scores of all pairs.

audit.json holds

- `meta`: versions, device, command;
- `model`: backbone, revision, pooling, max_length, prompts, verifier (null for pooled cosine) and what recalls;
- `pairs`: name, fingerprint, counts and auroc of the tested pairs;
- `calibration`: null, or name, fingerprint, near_misses, paraphrases, auroc and counts of the pairs that a threshold
  was fitted on; none of their texts is tested;
- `budget`: the share of those near-misses that the fitted threshold may accept;
- `thresholds`: for each `threshold` (kind given, own or calibrated; value; source), `all`, and each of `categories`:
  `false_accepts` and `lost`, with count, of, share and its 95 % Wilson interval low, high; null of none;
- `worst`: `near_misses` with the highest and `paraphrases` with the lowest scores: anchor, candidate, category, score.

A number that is not defined is null, never NaN.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from compret.atomic import atomic_write
from compret.evaluation.audit import Audit, Example
from compret.evaluation.versions import versions
from compret.metrics.decisions import Decisions, Share

_LEGEND = "In %, with 95 % intervals: near-misses that are accepted (false accepts), and paraphrases that are lost"
_OF_A_REPORT = 10
"""Worst examples of each kind."""


def table(audit: Audit) -> tuple[list[str], list[list[str]]]:
    """Headings and cells: a row for all pairs, and one for each category, that with most false accepts first."""
    marks = _marks([at.threshold.value for at in audit.at])
    headings = ["pairs", *(f"{what} {mark}" for mark in marks for what in ("accepted", "lost"))]
    rows = [["all", *(cell for at in audit.at for cell in _cells(at.all))]]
    first = audit.at[0].categories
    for name in sorted(first, key=lambda name: (-(first[name].false_accepts.share or 0), name)):
        rows.append([f"  {name}", *(cell for at in audit.at for cell in _cells(at.categories[name]))])
    return headings, rows


def facts(audit: Audit) -> list[str]:
    """What was audited, and each threshold with where it comes from, a line each."""
    data, score = audit.result.data, audit.result.score
    same, auroc = int(sum(data.labels)), audit.result.metrics["auroc"]
    told = f"{audit.model['backbone']}, scored by {score}, {audit.model['max_length']} tokens"
    counts = [f"{count:,} {name.replace('_', ' ')}" for name, count in audit.result.counts.items() if count]
    measured = "" if auroc is None else f"; AUROC {auroc:.3f}, where 0.5 is a coin"
    marks = _marks([at.threshold.value for at in audit.at])
    return [
        told,
        f"{data.name}: {len(data.labels) - same:,} near-misses, {same:,} paraphrases ({', '.join(counts)}){measured}",
        *(f"threshold {mark}: {at.threshold.source}" for mark, at in zip(marks, audit.at, strict=True)),
        _LEGEND,
    ]


def markdown(audit: Audit, meta: Mapping[str, Any]) -> str:
    """The report, to be pasted where Markdown is read."""
    headings, rows = table(audit)
    return "\n".join(
        [
            "# Audit: what a semantic cache would let through\n",
            *(f"- {fact}" for fact in facts(audit)),
            *(f"- {name}: `{meta[name]}`" for name in ("command", "device") if name in meta),
            f"\n{_row(headings)}",
            _row(["---", *("--:" for _ in headings[1:])]),
            *(_row([row[0].strip(), *row[1:]]) for row in rows),
            "\n## Near-misses with the highest scores\n",
            *map(_listed, audit.false_accepts(_OF_A_REPORT)),
            "\n## Paraphrases with the lowest scores\n",
            *map(_listed, audit.lost(_OF_A_REPORT)),
            "",
        ]
    )


def write_audit(audit: Audit, folder: str | Path, meta: Mapping[str, Any] | None = None) -> list[Path]:
    """Write scores/<set>.jsonl, report.md and, last, audit.json; what was written.

    Args:
        meta: added to the versions.

    Raises:
        UserError: the folder cannot be written.
    """
    to, about = Path(folder), {"versions": versions(), **(meta or {})}
    written = [audit.result.write_scores(to), to / "report.md", to / "audit.json"]
    with atomic_write(written[1]) as file:
        file.write(markdown(audit, about))
    with atomic_write(written[2]) as file:
        json.dump({"meta": about, **audit.to_dict()}, file, indent=2, allow_nan=False, ensure_ascii=False)
        file.write("\n")
    return written


def _marks(values: Sequence[float]) -> list[str]:
    """Thresholds as numbers of so many digits that different ones look different."""
    for digits in range(3, 9):
        marks = [f"{value:.{digits}f}" for value in values]
        if len(set(marks)) == len(set(values)):
            break
    twice = [mark for place, mark in enumerate(marks) if mark in marks[:place]]
    return [f"{mark} ({place + 1})" if mark in twice else mark for place, mark in enumerate(marks)]


def _cells(decisions: Decisions) -> tuple[str, str]:
    return _cell(decisions.false_accepts), _cell(decisions.lost)


def _cell(share: Share) -> str:
    if share.share is None or share.low is None or share.high is None:
        return "-"
    return f"{100 * share.share:.1f} {100 * share.low:.0f}-{100 * share.high:.0f}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _listed(example: Example) -> str:
    texts = (" ".join(text.split()).replace("`", "'") for text in (example.anchor, example.candidate))
    return f"- {example.score:.4f} {example.category}: `{'` / `'.join(texts)}`"
