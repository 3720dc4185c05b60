"""`compret perturb`: near-misses and paraphrases of the texts in a file, as rows to train on or to test with."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from compret.atomic import atomic_write
from compret.data.fields import optional_text
from compret.data.records import Record, read_records
from compret.files import local_path
from compret.perturb.perturber import Perturber, all_rules, chosen
from compret.perturb.pipeline import load_pipeline
from compret.perturb.report import Sample, shown, table
from compret.perturb.rows import Row, labelled_pairs, triplets
from compret.perturb.types import Perturbation
from compret.plain_parser import PlainParser
from compret.types import UserError

_SHOWN = 10


def main(arguments: Sequence[str]) -> int:
    """Make near-misses and paraphrases of the texts in a file by rules over a parse."""
    options = _parser().parse_args(arguments)
    if options.out.suffix != ".jsonl":
        raise UserError(f"--out {options.out}: rows are written as JSON lines; name a file that ends in .jsonl")
    perturber, records = Perturber(_rules(options), options.seed), read_records(options.file)
    load_pipeline()
    sample = Sample(_SHOWN, options.seed)
    with atomic_write(options.out) as file:
        for row in _rows(perturber, _texts(records, options), options):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            sample.add(row)
    sys.stdout.write(table(perturber))
    sys.stdout.writelines(["\n", *map(shown, sample.rows), f"\n{options.out}: {sample.seen:,} rows\n"])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = PlainParser(prog="compret perturb", description=main.__doc__)
    add = parser.add_argument
    near, same = ([rule.category for rule in all_rules().values() if rule.label == label] for label in (0, 1))
    add("file", type=local_path, help="texts: JSON lines, CSV, TSV or Parquet")
    add("--column", default="text", help="the column that holds the texts; text if not given")
    own = "or file.Class of your own"
    add("--categories", type=_listed, default=near, help=f"near-misses to make, by commas: {', '.join(near)}, {own}")
    add("--paraphrases", type=_listed, default=same, help=f"paraphrases to make, by commas: {', '.join(same)}, {own}")
    add("--out", type=Path, required=True, metavar="FILE.jsonl", help="where the rows go")
    add("--triplets", action="store_true", help="anchor, positive, negative instead of anchor, candidate, label")
    add("--seed", type=int, default=42, help="of the edits drawn and of the sample; 42 if not given")
    add("--limit", type=_count, help="read so many texts")
    return parser


def _count(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text}: a number of texts")
    return int(text)


def _listed(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _rules(options: argparse.Namespace) -> list[Perturbation]:
    for option, names, label in (("--categories", options.categories, 0), ("--paraphrases", options.paraphrases, 1)):
        wrong = [rule.category for rule in chosen(names) if rule.label != label]
        if wrong:
            raise UserError(f"{option} {','.join(wrong)}: that is {'a near-miss' if label else 'a paraphrase'}")
    if options.triplets and not (options.categories and options.paraphrases):
        raise UserError("--triplets: name at least one category in --categories and one in --paraphrases")
    return chosen([*options.categories, *options.paraphrases])


def _texts(records: Iterator[Record], options: argparse.Namespace) -> Iterator[str]:
    """The column's texts, one at a time; a blank one is a text of which nothing can be made."""
    from tqdm import tqdm

    some = itertools.islice(records, options.limit)
    for place, row in tqdm(some, total=options.limit, desc=options.file.name, unit=" texts", disable=None):
        if options.column not in row:
            raise UserError(f"{place}: no column '{options.column}' (it has {', '.join(row)}); name one with --column")
        yield optional_text(place, row, options.column) or ""


def _rows(perturber: Perturber, texts: Iterable[str], options: argparse.Namespace) -> Iterator[Row]:
    for text, edits in perturber.edits(texts):
        yield from triplets(text, edits, options.seed) if options.triplets else labelled_pairs(text, edits)
