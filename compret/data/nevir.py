"""NevIR: two documents that differ in a negation, and for each the query that it answers."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from compret.data.fields import text_field
from compret.data.records import fingerprint, real_place
from compret.data.sources import open_rows
from compret.evaluation.nevir import ContrastSet
from compret.evaluation.suite import Suite
from compret.files import local_path
from compret.types import UserError

_COLUMNS = ("q1", "q2", "doc1", "doc2")


class NevIR(Suite):
    """NevIR (Weller et al. 2024): queries and documents that differ in a negation, scored by paired accuracy.

    Args:
        source: hub id (`owner/name` or `owner/name@revision`), folder or file with the columns q1, q2, doc1, doc2.
        split: of a hub id or folder.
    """

    def __init__(self, source: str = "orionweller/NevIR", split: str = "test") -> None:
        super().__init__()
        self.source, self.split = source, split

    def names(self) -> list[str]:
        return [Path(self.source).stem if local_path(self.source).is_file() else "NevIR"]

    def load(self, index: int) -> ContrastSet:
        return load_nevir(self.source, self.split, self.names()[index])

    def places(self) -> list[str]:
        return [f"{real_place(self.source)} {self.split}"]


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
