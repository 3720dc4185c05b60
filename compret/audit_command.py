"""`compret audit`: is a semantic cache safe with this model? Mistakes are told before torch is imported."""

from __future__ import annotations

import argparse
import math
import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from compret.data.audit_pairs import AuditPairs, audit_pairs
from compret.data.near_miss_files import load_near_misses
from compret.evaluation.near_miss import NearMissSet
from compret.files import Settings
from compret.folders import check_model, next_version
from compret.plain_parser import PlainParser
from compret.tables import show
from compret.terminal import tell
from compret.types import UserError, printable

if TYPE_CHECKING:
    from compret.evaluation.audit import Audit, Example

_SHOWN = 3
"""Worst examples of each kind on the terminal; the report has more."""
_TOO_MANY = 0.5
"""Share of lost paraphrases from which a cache is hardly ever hit."""


def main(arguments: Sequence[str]) -> int:
    """Is a semantic cache safe with this model? Near-misses that it would accept and paraphrases that it would lose, at
    your threshold and at a calibrated one, by category, with 95 % intervals; and its worst mistakes."""
    options = _parser().parse_args(arguments)
    tell()
    folder = check_model("--model", options.model)
    is_guard = folder is not None and (folder / "verifier.json").exists()
    _check(options, is_guard)
    if is_guard and folder is not None and _uses_own(options, folder):
        tested, other = load_near_misses(options.pairs or "minimal_pairs:test"), None
    else:
        other = audit_pairs(options.pairs, options.calibrate, options.seed)
        tested = other.tested
    audit = _audit(options, tested, other)
    _show(audit, options, is_guard, arguments)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = PlainParser(
        prog="compret audit", description=main.__doc__,
        epilog="Example: compret audit --model checkpoints/mine/version_0/export --pairs traffic.jsonl --threshold 0.9",
    )  # fmt: skip
    add = parser.add_argument
    add("--model", required=True, metavar="FOLDER_OR_ID", help="an encoder, or the export of a verifier")
    add("--pairs", metavar="FILE", help="anchor, candidate, label, category; MinimalPairs' test split if not given")
    add("--threshold", type=float, help="yours: at or above it the cache answers")
    add("--calibrate", metavar="FILE", help="pairs for the calibrated threshold; half of --pairs if not given, or "
        "MinimalPairs' validation split")  # fmt: skip
    add("--budget", type=float, help="share of near-misses that it may accept; 0.05 if not given")
    add("--out", type=Path, metavar="DIR", help="where the report goes; logs/audit/VERSION if not given")
    add("--seed", type=int, default=42, help="of the draw of the half; 42 if not given")
    return parser


def _check(options: argparse.Namespace, is_guard: bool) -> None:
    """Refuse numbers that make no sense, and an --out that is no folder."""
    threshold, budget = options.threshold, options.budget
    if threshold is not None and not (math.isfinite(threshold) if is_guard else -1 <= threshold <= 1):
        raise UserError(f"--threshold {threshold:g}: {'a finite score' if is_guard else 'a cosine, from -1 to 1'}")
    if budget is not None and not 0 <= budget < 1:
        raise UserError(f"--budget {budget:g}: a share of near-misses, from 0 to below 1")
    if options.seed < 0:
        raise UserError(f"--seed {options.seed}: at least 0")
    if options.out is not None and options.out.exists() and not options.out.is_dir():
        raise UserError(f"--out {options.out}: a file; give a folder")


def _uses_own(options: argparse.Namespace, folder: Path) -> bool:
    """Whether a guard's own threshold is all that is wanted: it has one, and nothing that fits another is typed."""
    own = Settings.of(folder / "verifier.json").part("calibration", None)
    return own is not None and options.calibrate is None and options.budget is None


def _audit(options: argparse.Namespace, tested: NearMissSet, pairs: AuditPairs | None) -> Audit:
    from compret.evaluation.audit import BUDGET, audit
    from compret.evaluation.scoring_model import load_model
    from compret.terminal import quiet

    quiet()
    model = load_model(options.model)
    return audit(
        model.scorer,
        tested,
        pairs.calibration if pairs else None,
        threshold=options.threshold,
        own=model.calibration,
        budget=BUDGET if options.budget is None else options.budget,
        source=pairs.source if pairs else "",
    )


def _show(audit: Audit, options: argparse.Namespace, is_guard: bool, arguments: Sequence[str]) -> None:
    """Facts, table, worst examples, what was written, and what to do next."""
    from compret.evaluation.audit_files import facts, table, write_audit
    from compret.evaluation.scoring_model import best_device

    # lines of a file stay whole, to be found by grep
    width, write = min(120, shutil.get_terminal_size().columns) if sys.stdout.isatty() else 10_000, sys.stdout.write
    for fact in facts(audit):
        write(textwrap.fill(fact, width, subsequent_indent="  ") + "\n")
    headings, rows = table(audit)
    write("\n")
    show(headings, rows, spare=headings[-2:] if len(audit.at) > 2 else ())
    for title, examples in (
        ("near-misses with the highest scores", audit.false_accepts(_SHOWN)),
        ("paraphrases with the lowest scores", audit.lost(_SHOWN)),
    ):
        write(f"\n{title}\n" if examples else "")
        write("".join(f"{line}\n" for example in examples for line in _lines(example, width)))
    folder = options.out or Path("logs", "audit", next_version(Path(), "audit"))
    meta = {"command": shlex.join(["compret", "audit", *arguments]), "device": best_device()}
    write("\n" + "".join(f"wrote: {path}\n" for path in write_audit(audit, folder, meta)))
    write(f"next: {next_step(audit, options.model, options.pairs is not None, is_guard)}\n")


def _lines(example: Example, width: int) -> Iterator[str]:
    """The two texts of an example under each other, behind its score."""
    head = f"  {example.score:.3f}  "
    for opening, text in ((head, example.anchor), (" " * len(head), example.candidate)):
        yield from textwrap.wrap(
            printable(" ".join(text.split())), width, initial_indent=opening, subsequent_indent=" " * len(head)
        )


def next_step(audit: Audit, model: str, own_pairs: bool, is_guard: bool) -> str:
    """What the last of the thresholds says that one should do."""
    last = audit.at[-1]
    lost, accepted = last.all.lost, last.all.false_accepts
    again = shlex.join(["compret", "audit", "--model", model, "--pairs"])
    if lost.share is not None and lost.share > _TOO_MANY:
        told = f"at {last.threshold.value:.4f} {100 * lost.share:.0f} % of the paraphrases are lost"
        if is_guard:
            return f"{told}; train on pairs of your traffic, then audit again: docs/guard.md"
        return f"{told}; a verifier may do better: compret fit --config verifier_transformer_e2e.yaml, then audit it"
    if last.threshold.kind != "given" and accepted.low is not None and accepted.low > audit.budget:
        return f"more slips through than where the threshold was fitted; calibrate on pairs like these: {again} FILE"
    if not own_pairs:
        return f"try it on pairs of your own traffic: {again} FILE"
    return f"set the cache's threshold to {last.threshold.value:.4f}, for these weights alone"
