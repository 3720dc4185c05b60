"""Each command of the README runs: a case each, in its order, in one folder that holds the files it names."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from compret.__main__ import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```bash\n(.*?)```", README, re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.replace("\\\n", " ").splitlines() if line and line[0] != "#"]
SMALL = {
    "fit": "--model.backbone tiny --model.max_length 32 --trainer.max_steps 1 --trainer.accelerator cpu "
    "--data.workers 0 --data.batch_size 4 --data.validation null --trainer.enable_progress_bar false "
    "--trainer.precision 32-true --trainer.devices 1 --trainer.strategy auto",
    "test": "--model.backbone tiny --model.max_length 32 --trainer.accelerator cpu --trainer.enable_progress_bar false",
    "predict": "--model.backbone tiny --model.max_length 32 --trainer.accelerator cpu",
    "report": "",
    "audit": "--model tiny",
    "explain": "--model tiny",
}
"""Options that make a command small; the last one given wins, so the README's own are parsed all the same."""


def test_make_targets_of_the_readme_exist() -> None:
    named = [shlex.split(command)[1] for command in COMMANDS if command.startswith("make ")]
    assert {"demo", "test"} <= set(named)
    for target in named:
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_nothing_but_make_compret_and_pip_is_asked_of_the_user() -> None:
    assert {shlex.split(command)[0] for command in COMMANDS} <= {"make", "compret", "pip", "git", "cd"}


@pytest.fixture
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    tiny: Path,
    triplets: Path,
    beir: Path,
    pairs: Path,
    embedded: Path,
) -> Path:
    """The working directory of all commands, with the files that the README names; made by the first."""
    root = tmp_path_factory.getbasetemp() / "readme"
    if not root.exists():
        for copy in ("benchmarks", "data/retrieval"):
            shutil.copytree(beir, root / copy)
        shutil.copytree(tiny, root / "tiny")
        rows = ["mine", "data/train/retrieval", "data/train/structneg", "data/train/paraphrase"]
        labelled = ["pairs", *(f"data/nearmiss/{name}_dev" for name in ("paws_wiki", "sugarcrepe_pp", "cannot"))]
        for name, source in [*((name, triplets) for name in rows), *((name, pairs) for name in labelled)]:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, root / f"{name}.jsonl")
        swap = "sentence1,sentence2,category\nthe dog bit the man,the man bit the dog,swap\n"
        (root / "structneg.csv").write_text(swap)
        (root / "calibration.csv").write_text("anchor,candidate,label\na dog,the dog,1\na dog,no dog,0\n")
        rows = [f"a dog {i},{word} {i},{i % 2}\n" for i in range(20) for word in ("the dog", "no dog")]
        (root / "mine.csv").write_text("".join(["anchor,candidate,label\n", *rows]))
        (root / "texts.txt").write_text("the dog bit the man\n")
    monkeypatch.chdir(root)
    return root


def small(command: str) -> list[str]:
    arguments = shlex.split(command)[1:]
    hub = "--data.source benchmarks" if "nanobeir.yaml" in command and "data.source" not in command else ""
    more = SMALL[arguments[0]]
    if "verifier" in command:  # whose threshold is calibrated on the validation pairs
        more = more.replace("--data.validation null", "--trainer.val_check_interval 1")
    return [*arguments, *more.split(), *hub.split()]


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("compret ")])
def test_a_command_runs(folder: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    """In the README's order: a test takes the checkpoint of the fit above it."""
    assert main(small(command)) == 0, capsys.readouterr().err


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_a_block_of_python_runs(folder: Path, block: str) -> None:
    exec(block, {})
