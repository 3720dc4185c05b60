"""`compret ls` and `compret cp`: every shipped config is listed with its purpose and can be copied, changed and run."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from compret.recipes import recipes, shipped_configs

Run = Callable[..., tuple[int, str]]


def test_ls_names_each_shipped_file_and_what_it_is_for(compret: Run) -> None:
    code, said = compret("ls")
    listed = dict(line.split(maxsplit=1) for line in said.splitlines() if line)
    root = shipped_configs()[0]
    assert code == 0
    assert set(listed) == {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    for name, purpose in listed.items():
        assert purpose in (root / name).read_text(encoding="utf-8")
        assert "compret " not in purpose, f"{name} opens with a command, not with what it is for"


@pytest.mark.parametrize("name", recipes())
def test_cp_copies_each_file_as_it_is(compret: Run, tmp_path: Path, name: str) -> None:
    assert compret("cp", name)[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == [Path(name).name]
    assert (tmp_path / Path(name).name).read_bytes() == recipes()[name].read_bytes()


def test_a_copy_is_changed_and_found_before_the_shipped_one(compret: Run, tmp_path: Path) -> None:
    assert compret("cp", "encoder_structneg.yaml", "configs/")[0] == 0
    copy = tmp_path / "configs" / "encoder_structneg.yaml"
    copy.write_text(copy.read_text().replace("name: encoder_structneg", "name: mine"))
    code, said = compret("fit", "--config", "encoder_structneg.yaml", "--print_config")
    assert code == 0, said
    assert yaml.safe_load(said)["name"] == "mine"


def test_cp_leaves_a_file_alone_unless_forced(compret: Run, tmp_path: Path) -> None:
    there = tmp_path / "mine.yaml"
    there.write_text("mine")
    code, said = compret("cp", "pydoc.yaml", "mine.yaml")
    assert (code, there.read_text()) == (2, "mine")
    assert "mine.yaml: there is a file already; give another name, or --force" in said
    assert compret("cp", "pydoc.yaml", "mine.yaml", "--force")[0] == 0
    assert there.read_bytes() == recipes()["pydoc.yaml"].read_bytes()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["none.yaml"], "none.yaml: no such config; compret ls lists them"),
        (["../pyproject.toml"], "../pyproject.toml: no such config"),
        (["pydoc.yaml", "taken/mine.yaml"], "taken/mine.yaml: cannot be written"),
    ],
)
def test_a_mistake_is_told_in_one_line(compret: Run, tmp_path: Path, arguments: list[str], expected: str) -> None:
    (tmp_path / "taken").write_text("a file where a folder should go")
    code, said = compret("cp", *arguments)
    assert code == 2
    assert expected in said
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("command", ["ls", "cp pydoc.yaml copy.yaml"])
def test_they_import_no_torch(tmp_path: Path, command: str) -> None:
    code = f"import sys; from compret.__main__ import main; main({command.split()!r}); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, stdout=subprocess.DEVNULL)
