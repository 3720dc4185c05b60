"""Configs are data: of a bounded size, read once as such, refused in one line that names the file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from compret.config_files import GivenFirst, find_config, read_config
from compret.types import UserError

Run = Callable[..., tuple[int, str]]
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
BAD = {
    "binary": (bytes(range(256)) * 20, "not a text file in UTF-8"),
    "zero": (b"name: a\0b", "not a text file in UTF-8"),
    "list": (b"- a\n- b\n", "holds a list; a config is options and their values"),
    "word": (b"name", "holds a str"),
    "empty": (b"", "holds nothing"),
    "comment": (b"# nothing\n", "holds nothing"),
    "broken": (b"model: [", "not valid YAML (line "),
    "bomb": (BOMB.encode(), "more than 100,000 values"),
    "itself": (b"model: &a [*a]", "more than 100,000 values"),
    "deep": (b"model: " + b"[" * 50_000 + b"]" * 50_000, "deeper than 50 levels"),
    "deep lines": (b"".join(b" " * i + b"a:\n" for i in range(300)), "deeper than 50 levels"),
    "large": (b"a: b\n" * 300_000, "1,500,000 bytes; a config has at most 1,048,576"),
    "code": (b"name: !!python/object/apply:os.system ['touch executed']", "not valid YAML (line 1: "),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_config_is_refused_at_once(compret: Run, tmp_path: Path, name: str) -> None:
    content, told = BAD[name]
    (tmp_path / "mine.yaml").write_bytes(content)
    start = time.perf_counter()
    code, said = compret("fit", "--config", "mine.yaml")
    assert time.perf_counter() - start < 10
    (line,) = [line for line in said.splitlines() if line.startswith("compret: ")]
    assert code == 2
    assert line.startswith("compret: --config mine.yaml: ")
    assert told in line
    assert not (tmp_path / "executed").exists()


def test_a_name_that_the_system_refuses_is_told_in_one_line(compret: Run) -> None:
    code, said = compret("fit", "--config", "x" * 5000)
    assert (code, "cannot be read (File name too long)" in said, "Traceback" in said) == (2, True, False)


def test_aliases_and_merges_are_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("one: &one {a: 1}\ntwo: {<<: *one, b: 2}\nthree: [*one, *one]\n")
    assert read_config(str(file)) == {"one": {"a": 1}, "two": {"a": 1, "b": 2}, "three": [{"a": 1}, {"a": 1}]}


def test_every_shipped_config_is_within_the_bounds() -> None:
    for path in find_config("pydoc.yaml").parent.rglob("*.yaml"):
        assert read_config(str(path))


def test_what_is_known_first(tmp_path: Path) -> None:
    for name, content in (("one", "name: one\nckpt_path: a"), ("two", "name: two\ntrainer: {default_root_dir: here}")):
        (tmp_path / f"{name}.yaml").write_text(content)
    one, two = (str(tmp_path / f"{name}.yaml") for name in ("one", "two"))
    options = ("name", "ckpt_path", "trainer.default_root_dir")
    given = GivenFirst(["fit", "--model.x", "-1", f"--config={one}", "--y=z", "-c", two, "--ckpt_path", "b"], options)
    assert given.arguments == [
        "fit",
        *("--config", one, "--config", two),
        "--model.x",
        "-1",
        "--y=z",
        "--ckpt_path",
        "b",
    ]
    assert [given[option] for option in options] == ["two", "b", "here"]
    assert [GivenFirst(["fit", "--ckpt_path", "null"], options)[option] for option in options] == [None, None, None]
    with pytest.raises(UserError, match="--ckpt_path: expected one argument"):
        GivenFirst(["fit", "--ckpt_path"], options)
