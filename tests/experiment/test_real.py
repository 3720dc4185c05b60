"""compret itself below an experiment: its commands parse, a fit goes on in its folder, a matrix ends with results."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from compret.experiment.command import main
from compret.experiment.matrix import expand
from compret.experiment.parts import Part, parts_of
from compret.folders import VERSION
from compret.recipes import shipped_configs
from tests.processes import step_of

Run = Callable[..., tuple[int, str]]
SMALL = {
    "model.backbone": "{backbone}",
    "trainer.accelerator": "cpu",
    "trainer.enable_progress_bar": False,
}


def shipped(name: str, root: Path) -> list[Part]:
    content = yaml.safe_load((shipped_configs()[-1] / "experiments" / name).read_text(encoding="utf-8"))
    return parts_of(expand(content, name), root)


def one_of_each() -> list[object]:
    """A fit and a test of each system, and of one verifier, of the shipped matrices."""
    found = {}
    for path in sorted((shipped_configs()[-1] / "experiments").glob("*.yaml")):
        for part in shipped(path.name, Path()):
            found[path.name, part.command, *part.run.axes, part.run.axes.get("system")] = part
    return [pytest.param(part, id=f"{key[0]} {part.name}") for key, part in found.items()]


@pytest.mark.parametrize("name", ["demo.yaml", "paper.yaml", "real.yaml"])
def test_a_matrix_says_how_it_is_run(compret: Run, tmp_path: Path, name: str) -> None:
    head = (shipped_configs()[-1] / "experiments" / name).read_text(encoding="utf-8").split("\nname:")[0]
    command = next(line.removeprefix("#   compret ") for line in head.splitlines() if line.startswith("#   compret "))
    rows = ["train/retrieval.jsonl", "train/structneg.jsonl", "mine.csv", "mine_test.csv"]
    for row in [*rows, *(f"nearmiss/{name}_dev.jsonl" for name in ("paws_wiki", "sugarcrepe_pp", "cannot"))]:
        (tmp_path / row).parent.mkdir(exist_ok=True)
        (tmp_path / row).touch()
    code, said = compret(*shlex.split(command.replace("FOLDER", ".")), "--dry-run")
    assert code == 0, said
    assert f"experiments/{name}" in command


@pytest.mark.parametrize("part", one_of_each())
def test_a_shipped_command_parses(compret: Run, part: Part) -> None:
    """What a checkpoint would say of the model is not there yet, and is left out."""
    words = [word for word in part.words() if not word.startswith("--ckpt_path=")]
    code, said = compret(*words, "--print_config")
    assert code == 0, said
    parsed = yaml.safe_load(said)
    assert parsed["name"] == f"{part.experiment}/{part.run.name}"
    assert parsed["seed_everything"] == part.run.axes.get("seed", 42)
    if part.command == "test":
        suites = parsed["data"]["init_args"]["suites"]
        assert [suite["class_path"].split(".")[-1] for suite in suites] == ["NanoBEIR", "NearMissPairs"]


def fit(tiny: Path, triplets: Path, steps: int) -> dict[str, object]:
    small = {**SMALL, "model.backbone": str(tiny), "data.files": [str(triplets)], "trainer.max_steps": steps}
    return small | {"data.workers": 0, "data.batch_size": 4}


def test_a_fit_goes_on_in_its_folder(
    compret: Run, tiny: Path, triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is the first with the checkpoint that it left, as an experiment starts it."""
    content = {"name": "mine", "matrix": {"axes": {"a": ["x"]}, "fit": fit(tiny, triplets, 2)}}
    part = parts_of(expand(content, "m"), tmp_path)[0]
    monkeypatch.setenv(VERSION, part.folder.name)
    assert compret(*part.words())[0] == 0
    assert step_of(part.checkpoints / "last.ckpt") == 2
    (part.folder / "config.yaml").unlink()
    code, said = compret(*part.words(part.last()), "--trainer.max_steps=4")
    assert code == 0, said
    assert "from step 2 to step 4" in said
    assert step_of(part.checkpoints / "last.ckpt") == 4
    assert [path.name for path in part.checkpoints.parent.iterdir()] == ["fit"]
    assert [path.name for path in part.folder.parent.iterdir()] == ["fit"]


@pytest.mark.slow
def test_a_matrix_ends_with_results(
    compret: Run, tiny: Path, triplets: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One fit and two tests, as processes; the report reads what they leave."""
    monkeypatch.chdir(tmp_path)
    test = {**SMALL, "data": {"class_path": "compret.data.NearMissPairs", "init_args": {"files": ["{pairs}"]}}}
    content = {
        "name": "mine",
        "values": {"backbone": str(tiny), "pairs": str(pairs)},
        "matrix": {
            "axes": {"system": {"untouched": {"fit": None}, "trained": None}},
            "fit": {**fit(tiny, triplets, 3), "model.optimizer.lr": 0.01},
            "test": test,
        },
    }
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(content))
    assert main(["m.yaml"]) == 0, [path.read_text() for path in tmp_path.rglob("log.txt")]
    results = {
        path.parts[-3]: json.loads(path.read_text()) for path in tmp_path.glob("logs/mine/*/version_0/results.json")
    }
    assert set(results) == {"untouched", "trained"}
    assert results["trained"]["meta"]["checkpoint"] == "checkpoints/mine/trained/fit/last.ckpt"
    scores = [stored["nearmiss"]["pairs"]["negative_mean"] for stored in results.values()]
    assert scores[0] != scores[1]
    code, said = compret("report", "logs/mine/untouched", "logs/mine/trained")
    assert code == 0
    assert {"untouched", "trained"} <= set(shlex.split(said.replace("|", " ")))
    assert (tmp_path / "logs/mine/trained/version_0/config.yaml").exists()


@pytest.mark.parametrize("words", [["--help"], ["experiments/demo.yaml", "--dry-run"]])
def test_it_imports_no_torch(tmp_path: Path, words: list[str]) -> None:
    code = (
        "import sys; from compret.__main__ import main\n"
        f"try: main({['experiment', *words]!r})\nexcept SystemExit: pass\n"
        "sys.exit(sorted({'torch', 'lightning', 'transformers', 'rich', 'pandas', 'submitit'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, stdout=subprocess.DEVNULL)
