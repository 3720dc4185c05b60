"""Which texts are sentences that the rules can read: words with little code, of a moderate length."""

from __future__ import annotations

import re

WORDS = (4, 32)
"""The fewest and the most words of a sentence that is taken."""
_CHARACTERS = 400
_BREAK = re.compile(r"(?<=[a-z)\d`'\"][.!])\s+(?=[A-Z`])")
_HEAD = re.compile(r"[A-Z][A-Za-z'’-]*[ ,]")
_CODE = re.compile(r">>>|::|->|==|<-|--|\|\||__\w+__\(|[{}|\\~^=<>$@]|:\w+:|\s[*+/%]\s|\.\.\.|^\W|\s-\s|https?:")
_NAME = re.compile(r"[`_.(]\w|\w[_(/`]|[a-z][A-Z]|[A-Z]{2}|\d")


def is_prose(text: str) -> bool:
    """Whether a text is one or two sentences of words: a capital first, a stop last, at most a third like code."""
    if len(text) > _CHARACTERS or not text.endswith((".", "!")) or not _HEAD.match(text) or _CODE.search(text):
        return False
    words = text.split()
    if not WORDS[0] <= len(words) <= WORDS[1] or text.count("(") != text.count(")") or text.count('"') % 2:
        return False
    return sum(bool(_NAME.search(word)) for word in words) * 3 <= len(words) and len(_BREAK.split(text)) <= 2


def sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph that are prose, in order, without repeats."""
    if len(paragraph) < 12 or (". " not in paragraph and not paragraph.endswith(".")):
        return []
    return [part for part in dict.fromkeys(_BREAK.split(paragraph)) if is_prose(part)]
