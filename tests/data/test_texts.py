"""Text files to embed: a line is what ends in a line feed, and nothing of a text is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compret.data.texts import load_texts
from compret.types import UserError

LINES = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r")), min_size=1)


# bug: \f, \v, U+0085, U+2028 and others ended a line
@given(LINES, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
def test_a_line_ends_with_a_line_feed_alone(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], end: str, last: bool, mark: bool
) -> None:
    path = tmp_path_factory.mktemp("texts") / "a.txt"
    last = last or lines[-1] == ""
    content = end.join(lines) + end * last
    path.write_bytes(content.encode("utf-8-sig" if mark or content.startswith("\ufeff") else "utf-8"))
    assert load_texts(str(path), "a.npy", "query").texts == lines


@pytest.mark.parametrize("letter", ["\f", "\v", "\x1c", "\x85", "\u2028", "\u2029", "\r"])
def test_other_separators_are_letters(tmp_path: Path, letter: str) -> None:
    (tmp_path / "a.txt").write_bytes(f"\ufeffone{letter}text\r\n\r\nanother\n".encode())
    assert load_texts(str(tmp_path / "a.txt"), "a.npy", "query").texts == [f"one{letter}text", "", "another"]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("none.txt", None, "no such file"),
        ("x" * 5000, None, "cannot be opened"),
        ("a.txt", b"", "the file is empty"),
        ("a.txt", b"\xef\xbb\xbf", "the file is empty"),
        ("a.txt", b"\xff\xfea", "not UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str, content: bytes | None, expected: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=expected):
        load_texts(str(tmp_path / name), "a.npy", "query")
