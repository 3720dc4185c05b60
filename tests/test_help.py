"""Help pages: a screen for each command, every option of a class on its own page, and the way to them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from compret.commands import COMMANDS, TRAINER
from compret.signatures import shipped, signature

Run = Callable[..., tuple[int, str]]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("columns", [80, 120])
def test_a_command_is_one_screen(compret: Run, monkeypatch: pytest.MonkeyPatch, command: str, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    code, said = compret(command, "--help")
    lines = said.strip().splitlines()
    assert code == 0
    assert 20 <= len(lines) <= 40
    assert max(map(len, lines)) <= columns
    assert COMMANDS[command].example.split("--config ")[-1].split()[0] in said
    assert all(f"--{option}" in said for option in COMMANDS[command].usual)
    assert f"compret {command} --help model | data | trainer | CLASS" in said


def test_the_help_of_test_names_the_suites(compret: Run) -> None:
    said = compret("test", "--help")[1]
    assert all(f"\n  {name} " in said for name in ("NanoBEIR", "NearMissPairs", "NevIR", "Suites"))
    assert "Triplets" not in said


def test_the_usual_options_exist() -> None:
    """Each of the default classes, or of one of the suites."""
    owners = {"trainer": [TRAINER], "model": ["DualEncoder"], "data": [*shipped("compret.data")]}
    for command in COMMANDS.values():
        for name in command.usual:
            topic, option, *_ = name.split(".")
            assert any((found := signature(owner)) and found[option] for owner in owners[topic]), name


@pytest.mark.parametrize(
    ("arguments", "owner", "prefix"),
    [
        (["fit", "--help", "model"], "DualEncoder", "model."),
        (["fit", "--model", "SimilarityMapVerifier", "--help", "model"], "SimilarityMapVerifier", "model."),
        (["fit", "--help=SimilarityMapVerifier"], "SimilarityMapVerifier", "model."),
        (["fit", "-h", "data"], "Triplets", "data."),
        (["test", "--help", "data"], "NanoBEIR", "data."),
        (["test", "--help", "NearMissPairs"], "NearMissPairs", "data."),
        (["fit", "--help", "trainer"], TRAINER, "trainer."),
        (["fit", "--help", "MapCNN"], "MapCNN", "model.verifier."),
        (["fit", "--help", "Contrast"], "Contrast", "model.loss."),
    ],
)
def test_a_page_has_each_option_with_its_default(compret: Run, arguments: list[str], owner: str, prefix: str) -> None:
    code, said = compret(*arguments)
    found = signature(owner)
    assert code == 0
    assert found is not None
    for option in found.options:
        assert f"--{prefix}{option.name}" in said


def test_defaults_are_compret_s_own(compret: Run) -> None:
    said = " ".join(compret("fit", "--help", "trainer")[1].split())
    assert "How often to log within steps. [10]" in said
    assert "sentence-transformers/all-MiniLM-L6-v2" in compret("fit", "--help", "model")[1]


def test_options_of_options_are_there_too(compret: Run) -> None:
    said = compret("fit", "--help", "model")[1]
    assert "--model.optimizer.lr " in said
    assert "--model.loss " in said
    assert "temperature" in compret("fit", "--help", "Contrast")[1]


def test_a_page_that_there_is_not(compret: Run) -> None:
    code, said = compret("fit", "--help", "MapCN")
    assert code == 2
    assert "compret: --help MapCN: no such page; did you mean MapCNN?" in said


def test_help_imports_no_torch() -> None:
    code = (
        "import sys; from compret.__main__ import main; main(['fit', '-h', 'model']); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
