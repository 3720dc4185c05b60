"""Near-miss files: an anchor, a candidate, a label (1 same, 0 not) and a category a row."""

from __future__ import annotations

from pathlib import Path

from compret.data.records import fingerprint, read_records, text_field
from compret.types import NearMissSet, UserError


def load_near_misses(source: str) -> NearMissSet:
    """Read one set; it is named by its file's stem. `pydoc:nearmiss` and `pydoc:nearmiss_validation` are embedded.

    Raises:
        UserError: a file, a column or a label is missing or wrong; the message names file and line.
    """
    path, origin = _embedded(source) if source.startswith("pydoc:") else (Path(source).expanduser(), {})
    anchors, candidates, labels, categories = [], [], [], []
    for place, row in read_records(path):
        anchors.append(text_field(place, row, "anchor", "sentence1"))
        candidates.append(text_field(place, row, "candidate", "sentence2"))
        labels.append(_label(place, row.get("label")))
        categories.append(str(row.get("category") or "all"))
    if not anchors:
        raise UserError(f"{path}: no rows; a near-miss file needs at least one")
    print_of = fingerprint([*anchors, *candidates, *map(str, labels), *categories])
    return NearMissSet(path.stem, anchors, candidates, labels, categories, print_of, origin=origin)


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


def _embedded(source: str) -> tuple[Path, dict[str, object]]:
    """The file of a `pydoc:` source, and what it was made from."""
    from compret.data.pydoc import pydoc

    name = source.partition(":")[2]
    if name not in ("nearmiss", "nearmiss_validation"):
        raise UserError(f"{source}: PyDoc has pydoc:nearmiss and pydoc:nearmiss_validation")
    made = pydoc()
    return getattr(made, name), {"pydoc": made.fingerprint}


def _label(place: str, value: object) -> int:
    """A label written as a number, a truth value or text."""
    match str(value).strip().lower():
        case "1" | "1.0" | "true":
            return 1
        case "0" | "0.0" | "false":
            return 0
    if value is None:
        raise UserError(f"{place}: no column 'label' (1 for the same meaning, 0 for a near-miss)")
    raise UserError(f"{place}: label '{value}' must be 1 (the same meaning) or 0 (a near-miss)")
