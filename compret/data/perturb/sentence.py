"""A text as words, marks and code kept whole, and the edits that keep case, articles and spacing right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

_CODE = r"""
    (?::[\w:.+-]+:)?``(?=\S)[^`]*[^`\s]``_*                     # ``literal``, :role:``text``
  | (?::[\w:.+-]+:)?`(?=[^\s`'])[^`']*[^`\s']`_*                 # `name`, :role:`name`
  | `[^`'\s]+'                                                   # `name'
  | "(?=\S)[^"\n]{0,80}?(?<=\S)"                                 # "quoted"
  | (?<![\w.])'(?=\S)[^'\n]{0,80}?(?<=\S)'(?!\w)                 # 'quoted'
  | [a-zA-Z][a-zA-Z+.-]*://[^\s)]+                               # URL
  | (?<![\w-])--?[a-zA-Z][\w-]*                                  # --flag
  | [@#%$&*\\]+\w+(?:\.\w+)*                                     # @decorator, %s, *args
  | <[^<>\s]+> | \{[^{}]*\} | \[[^\[\]]*\]                       # <tag>, {...}, [...]
  | \w[\w.]*\([^()]*\)                                           # call(...), item(s)
  | (?!(?:i\.e|e\.g|etc|vs|cf)\b)\w+(?:\.\w+)+                   # dotted.name, 1.5
  | [\w~.*-]*(?:[/\\][\w~.*+-]+)+/?                              # a/path, either/or
  | \w*_\w*                                                      # snake_case
  | \w+(?:::\w+)+                                                # a::b
  | \w+(?:==?|[<>]=?|!=|\*\*?|\+|\^|\|)[^\s,;)]+                 # name=value
  | [^\W\d_]*[a-z][A-Z]\w* | [A-Z]{2,}[a-z]\w*                        # camelCase
  | [A-Z][A-Z\d]+(?:-[A-Z\d]+)*(?![\w-])                         # CONSTANT
  | [^\W\d_]+\d\w* | \d+[^\W_]\w*                                # utf8, 2nd
"""
_WORD = r"(?:i\.e\.|e\.g\.|etc\.|vs\.|cf\.)|(?:\d+-)*[^\W\d_]+(?:['’][^\W\d_]+)*(?:-[^\W_]+(?:['’][^\W\d_]+)*)*"
_TOKEN = re.compile(rf"(?P<code>{_CODE})|(?P<word>{_WORD})|\d+(?:[.,:]\d+)*|\.\.\.|-+|\S", re.VERBOSE)
_SPACES = re.compile(r"\s+")

CODE = "\0"
"""What `Sentence.low` says in a code-like token's place, so that no rule takes it for a word."""

_NOT_AN = re.compile(r"(?:uni|use|usu|uti|euro|one\b|once\b|ubiq)", re.IGNORECASE)
_AN = re.compile(r"(?:[aeiou]|hour|honest|heir)", re.IGNORECASE)
_OPENING = frozenset({".", "!", "?", ":", ""})
_LOWERED = frozenset(
    "a an the this that these those all some any no one two three four several many most each every both its their his "
    "her your our my if when before after do does return returns".split()
)


@dataclass(frozen=True)
class Sentence:
    """Tokens of a text and whether a space stands before each; single spaces only."""

    tokens: tuple[str, ...]
    spaced: tuple[bool, ...]
    low: tuple[str, ...]
    """Lower-case words and marks; `CODE` for identifiers, literals, roles, paths and the like."""

    def __len__(self) -> int:
        return len(self.tokens)

    @cached_property
    def text(self) -> str:
        return _render(self.tokens, self.spaced)

    def at(self, index: int) -> str:
        """The lower-case token at an index, empty outside the text."""
        return self.low[index] if 0 <= index < len(self.low) else ""

    def is_word(self, index: int) -> bool:
        """Whether a word or code stands at the index, neither a mark nor the end."""
        token = self.at(index)
        return token == CODE or (token != "" and token[0].isalnum())

    def opens(self, index: int) -> bool:
        """Whether a sentence begins at the index."""
        return index == 0 or (self.at(index - 1) in _OPENING and index < len(self))

    def joined(self, index: int) -> bool:
        """Whether the token touches a neighbour that is not a mark, as half of a compound does."""
        if not 0 <= index < len(self):
            return False
        before = index > 0 and not self.spaced[index] and self.at(index - 1) not in "([\"'“‘"
        after = index + 1 < len(self) and not self.spaced[index + 1] and self.at(index + 1) not in ".,;:!?)]\"'”’..."
        return before or after

    def edit(self, *changes: tuple[int, int, Sequence[str]]) -> str:
        """The text with the tokens of each `[start, end)` replaced; spans are in order and do not overlap."""
        tokens: list[str] = []
        spaced: list[bool] = []
        seams: list[int] = []
        done = 0
        for start, end, new in changes:
            tokens += self.tokens[done:start]
            spaced += self.spaced[done:start]
            seams += [len(tokens), len(tokens) + len(new)]
            tokens += self._cased(start, new)
            spaced += [self.spaced[start], *([True] * (len(new) - 1))] if new else []
            done = end
        tokens += self.tokens[done:]
        spaced += self.spaced[done:]
        self._close(tokens, spaced)
        _agree(tokens, seams)
        return _render(tokens, spaced)

    def _cased(self, start: int, new: Sequence[str]) -> list[str]:
        """Words that go to the head of a sentence get its capital; words that leave it lose theirs."""
        if not new or start >= len(self) or not self.opens(start):
            return [_lowered(token) for token in new]
        head = new[0]
        if self.tokens[start][:1].isupper() or (self.low[start] == CODE and self.at(start - 1) in (".", "")):
            head = head if is_code(head) else head[:1].upper() + head[1:]
        return [head, *map(_lowered, new[1:])]

    def _close(self, tokens: list[str], spaced: list[bool]) -> None:
        """The first word keeps a capital when what stood before it went."""
        if tokens and self.tokens[0][:1].isupper() and tokens[0][:1].islower() and not is_code(tokens[0]):
            tokens[0] = tokens[0][:1].upper() + tokens[0][1:]


def parse(text: str) -> Sentence:
    """Split a text; runs of white space count as one space."""
    tokens, spaced, low = [], [], []
    end = 0
    clean = _SPACES.sub(" ", text).strip()
    for match in _TOKEN.finditer(clean):
        token = match.group()
        tokens.append(token)
        spaced.append(match.start() > end)
        low.append(CODE if match.lastgroup == "code" else token.lower().replace("’", "'"))
        end = match.end()
    return Sentence(tuple(tokens), tuple(spaced), tuple(low))


def is_code(token: str) -> bool:
    """Whether a token, as `parse` gives it, is an identifier, a literal, a role, a path or the like."""
    match = _TOKEN.match(token)
    return match is not None and match.lastgroup == "code"


def decapitalised(token: str) -> str:
    return token if is_code(token) else token[:1].lower() + token[1:]


def _lowered(token: str) -> str:
    """Without its capital if that can only come from the head of a sentence; a name keeps its own."""
    return decapitalised(token) if token.lower() in _LOWERED else token


def normalised(text: str) -> str:
    """Lower case, words only: what two texts must differ in to count as different."""
    return " ".join(re.findall(r"\w+", text.lower()))


_ENDS = frozenset(".!?:")


def _agree(tokens: list[str], seams: Iterable[int]) -> None:
    """a or an before each changed word, by its first letters."""
    for index in seams:
        if not 0 < index < len(tokens) or is_code(tokens[index]):
            continue
        article, word = tokens[index - 1], tokens[index]
        label = article == "A" and index > 1 and tokens[index - 2] not in _ENDS
        if article.lower() in ("a", "an") and not label and word[:1].isalpha():
            vowel = bool(_AN.match(word)) and not _NOT_AN.match(word)
            tokens[index - 1] = article[0] + ("n" if vowel else "")


def _render(tokens: Sequence[str], spaced: Sequence[bool]) -> str:
    return "".join(f" {token}" if space else token for token, space in zip(tokens, spaced, strict=True)).lstrip()
