"""The pairs of an audit: those that are tested, and others on which a threshold may be calibrated; imports no torch."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from compret.data import minimal_pairs
from compret.data.near_miss_files import load_near_misses
from compret.data.records import fingerprint, real_place
from compret.evaluation.near_miss import NearMissSet
from compret.metrics.edit_words import linked
from compret.types import UserError

log = logging.getLogger(__name__)
_TEST, _VALIDATION = (f"{minimal_pairs.PREFIX}{split}" for split in ("test", "validation"))


@dataclass(frozen=True)
class AuditPairs:
    """Two sets that share no text."""

    tested: NearMissSet
    calibration: NearMissSet
    """Of both labels."""
    source: str
    """Where the calibration pairs come from, in words."""


def audit_pairs(pairs: str | None = None, calibrate: str | None = None, seed: int = 42) -> AuditPairs:
    """Read the pairs to test, and find others to calibrate on.

    Args:
        pairs: a near-miss file; MinimalPairs' test split if None.
        calibrate: another one. If None, it is MinimalPairs' validation split for MinimalPairs, and half of a file's
            own pairs, such that no text stands in both halves; MinimalPairs' validation split where it has no such
            half with both labels.
        seed: of the draw of the half.

    Raises:
        UserError: a file cannot be read, or the calibration pairs are the tested ones or have one label alone.
    """
    source = pairs or _TEST
    tested = load_near_misses(source)
    if calibrate is not None:
        if real_place(calibrate) == real_place(source):
            raise UserError(f"--calibrate {calibrate}: those are the tested pairs; a threshold needs others")
        return _with(tested, calibrate, f"--calibrate {calibrate}")
    is_embedded = source.startswith(minimal_pairs.PREFIX) and source != _VALIDATION
    halves = None if is_embedded else _halves(tested, seed)
    return halves or _with(tested, _VALIDATION, "MinimalPairs' validation split")


def _with(tested: NearMissSet, source: str, words: str) -> AuditPairs:
    """The pairs of a source that share no text with the tested ones."""
    found, seen = load_near_misses(source), {*tested.anchors, *tested.candidates}
    sides = zip(found.anchors, found.candidates, strict=True)
    apart = [row for row, texts in enumerate(sides) if seen.isdisjoint(texts)]
    if dropped := len(found.labels) - len(apart):
        log.info("%s: %d pairs share a text with the tested ones and calibrate nothing", source, dropped)
    left = replace(_rows(found, apart), counts={**found.counts, **({"dropped_shared": dropped} if dropped else {})})
    if len(set(left.labels)) < 2:
        raise UserError(f"{words}: no pairs of both labels that share no text with the tested ones; give --calibrate")
    return AuditPairs(tested, left, words)


def _halves(data: NearMissSet, seed: int) -> AuditPairs | None:
    """Half of the groups of pairs that share no text with others, and the rest; None without both labels in each."""
    if len(set(data.labels)) < 2:
        return None
    groups, group_P = linked(data.anchors, data.candidates)
    calibrates_P = np.random.default_rng(seed).permutation(groups)[group_P] < groups // 2
    tested, calibration = (_rows(data, np.flatnonzero(rows).tolist()) for rows in (~calibrates_P, calibrates_P))
    if min(len(set(part.labels)) for part in (tested, calibration)) < 2:
        return None
    counts = {**data.counts, "calibration_pairs": len(calibration.labels)}
    words = f"half of {data.name}, whose texts stand in no tested pair (seed {seed})"
    calibration = replace(calibration, name=f"{data.name} to calibrate on")
    return AuditPairs(replace(tested, counts=counts), calibration, words)


def _rows(data: NearMissSet, rows: Sequence[int]) -> NearMissSet:
    """Some of a set's pairs."""
    anchors, candidates, categories = (
        [column[row] for row in rows] for column in (data.anchors, data.candidates, data.categories)
    )
    labels = [data.labels[row] for row in rows]
    print_of = fingerprint([*anchors, *candidates, *map(str, labels), *categories])
    return replace(
        data, anchors=anchors, candidates=candidates, labels=labels, categories=categories, fingerprint=print_of
    )
