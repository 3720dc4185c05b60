"""NevIR: two documents that differ in a negation, and for each the query that it answers."""

from __future__ import annotations

from itertools import chain

from compret.data.fields import text_field
from compret.data.records import fingerprint
from compret.data.sources import open_rows
from compret.types import ContrastSet, UserError

_COLUMNS = ("q1", "q2", "doc1", "doc2")


def load_nevir(source: str, split: str = "test", name: str = "NevIR") -> ContrastSet:
    """Read rows of q1, q2, doc1, doc2 from a hub id, a folder or a file; doc1 answers q1, and doc2 answers q2.

    Raises:
        UserError: there are none, or a text is missing; the message names the place.
    """
    opened = open_rows(source, split)
    rows = [tuple(text_field(place, row, column) for column in _COLUMNS) for place, row in opened.records()]
    if not rows:
        raise UserError(f"{opened.name}: no rows; NevIR has q1, q2, doc1, doc2")
    return ContrastSet(
        name,
        queries=[(q1, q2) for q1, q2, _, _ in rows],
        documents=[(doc1, doc2) for _, _, doc1, doc2 in rows],
        fingerprint=fingerprint(chain.from_iterable(rows)),
        origin=opened.origin,
    )
