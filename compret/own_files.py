"""Rows of one's own in place of a config's: its weights and embedded validation give way to a split of the rows."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from compret.config_files import GivenFirst, value_at
from compret.files import local_path

log = logging.getLogger(__name__)

EMBEDDED = ("pydoc", "minimal_pairs")
"""How the names of embedded data begin."""
_SUITE = "compret.data.HeldOut"
_LEAST, _MOST, _ENOUGH = 0.01, 0.1, 200
_TEXT_FILES = (".jsonl", ".csv", ".tsv")


def own_split(given: GivenFirst) -> list[str]:
    """What is added to a fit's command line whose `--data.files` are typed, and told in one line.

    `data.weights` of a config belong to its files, and go. Where its validation is on embedded data, which would have
    to be made for that, rows that are held out of the typed files take its place: every tenth of few, a hundredth of
    many. Whatever else is typed stays (law 9).
    """
    options, typed = given.tree().get("data"), [name for name, _ in given.typed]
    options = options if isinstance(options, Mapping) else {}
    files = options.get("files")
    if "data.files" not in typed or not isinstance(files, list) or str(options.get("class_path")).endswith("Suites"):
        return []
    added: dict[str, Any] = {}
    if "data.weights" not in typed and options.get("weights") is not None:
        added["weights"] = None
    is_own = not any(is_embedded(file) for file in files)
    is_typed = any(name.startswith("data.validation") and name != "data.validation_rows" for name in typed)
    if is_own and not is_typed and any(map(is_embedded, listed(options.get("validation")))):
        share = options.get("holdout") or share_held_out(files)
        added |= {"holdout": share, "validation": held_out(options.get("random_negatives", False))}
    if added:
        told = f", validation on {added['holdout']:.1%} of them" if "holdout" in added else ""
        log.info("--data.files in place of the config's: weights by rows%s", told)
    return [word for name, value in added.items() for word in (f"--data.{name}", json.dumps(value))]


def is_embedded(source: Any) -> bool:
    """Whether a source, or a suite of a config, is data that has to be made of the installed packages."""
    if isinstance(source, str):
        return source.removeprefix("reworded:").removeprefix("perturb:").startswith(EMBEDDED)
    if not isinstance(source, Mapping):
        return False
    files, validation_files, inner = (
        value_at(source, ("init_args", n)) for n in ("files", "validation_files", "source")
    )
    is_default = str(source.get("class_path")).endswith("NearMissPairs") and not files
    return is_default or any(map(is_embedded, [inner, *listed(files), *listed(validation_files)]))


def listed(value: Any) -> list[Any]:
    """A list as a config has it; nothing where it has something else, which the parser refuses."""
    return value if isinstance(value, list) else []


def share_held_out(files: Sequence[str]) -> float:
    """The share of the rows that gives about 200 to validate on, from a hundredth to a tenth."""
    rows = sum(_lines(local_path(str(file))) for file in files)
    return round(min(_MOST, max(_LEAST, _ENOUGH / rows)), 4) if rows else _LEAST


def _lines(path: Path) -> int:
    """Lines of a text file; 0 for what is none."""
    if path.suffix not in _TEXT_FILES or not path.is_file():
        return 0
    with path.open("rb") as file:
        return sum(1 for _ in file)


def held_out(random_negatives: bool) -> list[dict[str, Any]]:
    """The suite of the held-out rows, as a config has it; there is none of rows whose negatives are drawn."""
    return [] if random_negatives else [{"class_path": _SUITE}]
