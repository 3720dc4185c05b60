"""Words as the baselines count them: runs of letters, digits and underscores, in lower case."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """The words of a text in their order."""
    return _WORD.findall(text.lower())
