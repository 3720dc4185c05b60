"""Files of labelled pairs: an anchor, a candidate, a label (1 same, 0 not) and a category a row; imports no torch."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compret.data import minimal_pairs
from compret.data.fields import category_field, label_field, text_field
from compret.data.records import fingerprint, read_records
from compret.evaluation.near_miss import NearMissSet
from compret.files import local_path
from compret.types import UserError

log = logging.getLogger(__name__)

Pair = tuple[str, str, int, str]


@dataclass(frozen=True)
class PairFilter:
    """Which pairs of a file are left out, by their candidates."""

    min_candidate_length: int = 0
    """Characters; shorter candidates are left out."""
    drop_containing: Sequence[str] = ()
    """Candidates that contain one of these texts are left out."""

    def dropped(self, candidate: str) -> str | None:
        """Under which name a pair is counted that is left out; None for one that stays."""
        if len(candidate) < self.min_candidate_length:
            return "dropped_short"
        return "dropped_containing" if any(text in candidate for text in self.drop_containing) else None


def load_near_misses(source: str, keep: PairFilter = PairFilter()) -> NearMissSet:
    """Read one set; it is named by its file's stem. `minimal_pairs:test` and its other splits are embedded.

    Rows of sentence1, sentence2 and no label are near-misses all, as in the paper's test.

    Raises:
        UserError: a file, a column or a label is missing or wrong; the message names file and line.
    """
    if source.startswith(minimal_pairs.PREFIX):
        return minimal_pairs.near_miss_set(source)
    if source.startswith("pydoc:"):
        raise UserError(
            f"{source}: PyDoc has no near-misses; minimal_pairs:test has, and minimal_pairs:train to train on"
        )
    path = local_path(source)
    pairs, counts = _kept(path, keep)
    if not pairs:
        left = f" are left of {sum(counts.values())}" if counts else "; a near-miss file needs at least one"
        raise UserError(f"{path}: no rows{left}")
    anchors, candidates, labels, categories = map(list, zip(*pairs, strict=True))
    print_of = fingerprint([*anchors, *candidates, *map(str, labels), *categories])
    return NearMissSet(path.stem, anchors, candidates, labels, categories, print_of, counts=counts)


def near_miss_name(source: str) -> str:
    """What a set is called in results: its file's stem, or the name of the embedded data."""
    if source.startswith(minimal_pairs.PREFIX):
        return minimal_pairs.NAME
    return Path(source).stem


def _kept(path: Path, keep: PairFilter) -> tuple[list[Pair], dict[str, int]]:
    """The pairs that stay, and how many do not."""
    pairs = list(_pairs(path))
    why = [keep.dropped(candidate) for _, candidate, _, _ in pairs]
    counts = Counter(reason for reason in why if reason)
    for reason, count in counts.items():
        log.info("%s: %d pairs are left out (%s)", path, count, reason.replace("_", " "))
    return [pair for pair, reason in zip(pairs, why, strict=True) if reason is None], dict(counts)


def joined(sets: list[NearMissSet]) -> NearMissSet:
    """All rows of several sets as one."""
    return NearMissSet(
        name="+".join(s.name for s in sets),
        anchors=[x for s in sets for x in s.anchors],
        candidates=[x for s in sets for x in s.candidates],
        labels=[x for s in sets for x in s.labels],
        categories=[x for s in sets for x in s.categories],
        fingerprint=fingerprint(s.fingerprint for s in sets),
    )


def _pairs(path: Path) -> Iterator[Pair]:
    bare = None
    for place, row in read_records(path):
        if bare is None:
            bare = _is_bare(row)
            if bare:
                log.info("%s: sentence1, sentence2 without a label are all read as near-misses", path)
        anchor = text_field(place, row, "anchor", "sentence1")
        candidate = text_field(place, row, "candidate", "sentence2")
        if bare and not _is_bare(row):
            raise UserError(f"{place}: has a label, which the rows before it have not")
        yield anchor, candidate, 0 if bare else label_field(place, row), category_field(place, row) or "all"


def _is_bare(row: Mapping[str, Any]) -> bool:
    """Whether a row is of the paper's layout, without a label."""
    return "label" not in row and {"sentence1", "sentence2"} <= row.keys()
