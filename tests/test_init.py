"""`compret init`: a shipped config with the user's files, which runs as `fit --data.files` would."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from compret.recipes import recipes

Run = Callable[..., tuple[int, str]]


def test_a_training_config_is_filled_in(compret: Run, triplets: Path, tmp_path: Path) -> None:
    code, said = compret("init", "encoder_structneg.yaml", triplets, "--output", "mine.yaml")
    assert code == 0, said
    assert "run it: compret fit --config mine.yaml" in said
    text, shipped = (tmp_path / "mine.yaml").read_text(), recipes()["encoder_structneg.yaml"].read_text()
    mine, theirs = yaml.safe_load(text), yaml.safe_load(shipped)
    assert mine["name"] == "mine"
    assert mine["data"]["init_args"]["files"] == [str(triplets)]
    assert "weights" not in mine["data"]["init_args"]
    assert mine["data"]["init_args"]["validation"] == [{"class_path": "compret.data.HeldOut"}]
    assert (mine["trainer"], mine["model"]) == (theirs["trainer"], theirs["model"])
    assert "# validation every so many steps, not epochs" in text
    assert "encoder_structneg" not in "\n".join(text.splitlines()[1:])


def test_it_gives_what_typing_the_files_gives(compret: Run, triplets: Path) -> None:
    compret("init", "verifier_cnn_frozen.yaml", triplets, "--output", "mine.yaml")
    mine = yaml.safe_load(compret("fit", "--config", "mine.yaml", "--print_config")[1])
    typed = compret("fit", "--config", "verifier_cnn_frozen.yaml", "--data.files", f"[{triplets}]", "--print_config")
    config = "\n".join(line for line in typed[1].splitlines() if not line.startswith("--data.files"))
    assert mine["data"] == yaml.safe_load(config)["data"]


@pytest.mark.parametrize("config", ["nearmiss.yaml", "nanobeir.yaml"])
def test_a_suites_config_is_filled_in(compret: Run, pairs: Path, beir: Path, tmp_path: Path, config: str) -> None:
    file = pairs if config == "nearmiss.yaml" else beir
    code, said = compret("init", config, file)
    made = tmp_path / f"{file.stem}.yaml"
    assert code == 0, said
    assert f"run it: compret test --config {made.name}" in said
    options = yaml.safe_load(made.read_text())["data"]["init_args"]
    assert options in ({"files": [str(pairs)]}, {"source": str(beir)})
    assert compret("test", "--config", made.name, "--print_config")[0] == 0


def test_a_folder_by_a_dot_has_its_own_name(compret: Run, tmp_path: Path) -> None:
    code, said = compret("init", "nanobeir.yaml", ".")
    assert (code, f"wrote: {tmp_path.name}.yaml" in said) == (0, True), said


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["none.yaml", "rows.jsonl"], "none.yaml: no such config; compret ls lists them"),
        (["encoder_structneg.yaml", "none.jsonl"], "none.jsonl: no such file"),
        (["encoder_structneg.yaml", "x" * 5000], "cannot be opened (File name too long)"),
        (["encoder_structneg.yaml", "rows.jsonl", "--output", "x" * 5000], "cannot be opened (File name too long)"),
        (["predict.yaml", "rows.jsonl"], "its data is Texts; compret init fills in those of Triplets, "),
        (["encoder_structneg.yaml", "rows.jsonl", "--output", "rows.jsonl"], "rows.jsonl: there is a file already"),
        (["encoder_structneg.yaml", "rows.jsonl", "--output", "rows.jsonl/x.yaml"], "cannot be written"),
    ],
)
def test_a_mistake_is_one_line(compret: Run, tmp_path: Path, arguments: list[str], expected: str) -> None:
    (tmp_path / "rows.jsonl").write_text("rows")
    code, said = compret("init", *arguments)
    assert code == 2
    assert expected in said
    assert (tmp_path / "rows.jsonl").read_text() == "rows"
    assert len(list(tmp_path.iterdir())) == 1
