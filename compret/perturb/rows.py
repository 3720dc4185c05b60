"""Rows made of a text and its edits: labelled pairs, or triplets of a paraphrase and a near-miss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from compret.perturb.types import Edit

Row = dict[str, str | int]


def labelled_pairs(text: str, edits: Sequence[Edit]) -> Iterator[Row]:
    """One row an edit: anchor, candidate, label (1 the same, 0 not), category."""
    for edit in edits:
        yield {"anchor": text, "candidate": edit.text, "label": edit.label, "category": edit.category}


def triplets(text: str, edits: Sequence[Edit], seed: int) -> Iterator[Row]:
    """One row a near-miss: anchor, positive (one of the paraphrases, drawn), negative, category; none without both.

    Positive and negative are both one edit away from the anchor, so that the edit alone tells nothing.
    """
    same = [edit.text for edit in edits if edit.label]
    for edit in edits:
        if same and not edit.label:
            positive = Random(f"{seed}\n{edit.text}").choice(same)
            yield {"anchor": text, "positive": positive, "negative": edit.text, "category": edit.category}
