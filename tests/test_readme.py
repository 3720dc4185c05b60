"""Each command of the README runs, in its order, in one folder that holds the files it names."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

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
}
"""Options that make a command small; the last one given wins, so the README's own are parsed all the same."""


def test_make_targets_of_the_readme_exist() -> None:
    named = [shlex.split(command)[1] for command in COMMANDS if command.startswith("make ")]
    assert {"demo", "test"} <= set(named)
    for target in named:
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_nothing_but_make_compret_and_pip_is_asked_of_the_user() -> None:
    assert {shlex.split(command)[0] for command in COMMANDS} <= {"make", "compret", "pip", "git", "cd"}


def test_each_command_runs(
    compret: Callable[..., tuple[int, str]],
    tmp_path: Path,
    tiny: Path,
    triplets: Path,
    beir: Path,
    pairs: Path,
    embedded: Path,
) -> None:
    shutil.copytree(tiny, tmp_path / "tiny")
    shutil.copy(triplets, tmp_path / "mine.jsonl")
    shutil.copytree(beir, tmp_path / "benchmarks")
    (tmp_path / "data" / "train").mkdir(parents=True)
    (tmp_path / "data" / "nearmiss").mkdir()
    shutil.copytree(beir, tmp_path / "data" / "retrieval")
    for name in ("retrieval", "structneg", "paraphrase"):
        shutil.copy(triplets, tmp_path / "data" / "train" / f"{name}.jsonl")
    for name in ("paws_wiki_dev", "sugarcrepe_pp_dev", "cannot_dev"):
        shutil.copy(pairs, tmp_path / "data" / "nearmiss" / f"{name}.jsonl")
    (tmp_path / "structneg.csv").write_text(
        "sentence1,sentence2,category\nthe dog bit the man,the man bit the dog,swap\n"
    )
    (tmp_path / "calibration.csv").write_text("anchor,candidate,label\na dog,the dog,1\na dog,no dog,0\n")
    (tmp_path / "texts.txt").write_text("the dog bit the man\n")
    for command in (c for c in COMMANDS if c.startswith("compret ")):
        arguments = shlex.split(command)[1:]
        hub = ["--data.source", "benchmarks"] if "nanobeir.yaml" in command and "data.source" not in command else []
        small = SMALL[arguments[0]]
        if "verifier" in command:  # whose threshold is calibrated on the validation pairs
            small = small.replace("--data.validation null", "--trainer.val_check_interval 1")
        code, said = compret(*arguments, *small.split(), *hub)
        assert code == 0, f"{command}\n{said}"
    for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL):
        exec(block, {})
