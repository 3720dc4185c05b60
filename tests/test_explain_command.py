"""`compret explain`: what it prints of an encoder, an export and a checkpoint, the figure, and mistakes in one line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from compret.evaluation.explain import explain
from compret.evaluation.scoring_model import load_model
from compret.explain_command import lines

Run = Callable[..., tuple[int, str]]
A, B = "The dog bit the man", "the man bit the dog"


def fit(tiny: Path, triplets: Path, pairs: Path) -> list[object]:
    small = f"""--name mine --model.backbone {tiny} --model.max_length 16 --model.special_tokens false
        --data.files [{triplets}] --data.weights null --data.batch_size 8 --data.workers 0 --trainer.max_steps 1
        --data.validation.init_args.files [{pairs}] --trainer.val_check_interval 1 --trainer.accelerator cpu"""
    return ["fit", "--config", "verifier_maxsim_e2e.yaml", *small.split()]


def test_an_encoder_is_explained(compret: Run, tiny: Path, tmp_path: Path) -> None:
    code, said = compret("explain", A, B, "--model", tiny, "--out", "map.svg")
    assert code == 0, said
    assert f"pooled cosine  {explain(load_model(tiny), A, B).cosine:.4f}" in said
    assert "  The [dog] bit the [man]\n" in said
    assert "  the [man] bit the [dog]\n" in said
    assert len(re.findall(r" dog -?\d\.\d\d", said)) == 2
    assert "verifier" not in said
    assert "wrote: map.svg" in said
    assert (tmp_path / "map.svg").exists()


def test_a_checkpoint_and_its_export_say_the_same(
    compret: Run, tiny: Path, triplets: Path, pairs: Path, tmp_path: Path
) -> None:
    code, told = compret(*fit(tiny, triplets, pairs))
    assert code == 0, told
    run = tmp_path / "checkpoints" / "mine" / "version_0"
    said = {
        option: compret("explain", A, B, option, path)[1]
        for option, path in (("--model", run / "export"), ("--ckpt_path", run / "last.ckpt"))
    }
    assert said["--model"] == said["--ckpt_path"]
    assert re.search(r"verifier +-?\d+\.\d{4}, threshold -?\d+\.\d{4}: (not )?the same \(probability", said["--model"])
    assert "[CLS]" not in said["--model"]
    assert compret("explain", A, B, "--ckpt_path", run / "export")[1] == said["--model"]


def test_the_checkpoint_of_an_encoder_has_its_weights(compret: Run, tiny: Path, triplets: Path, tmp_path: Path) -> None:
    model = ["--model.backbone", tiny, "--model.optimizer.lr", 0.1, "--trainer.accelerator", "cpu"]
    data = ["--data.files", f"[{triplets}]", "--data.batch_size", 8, "--data.workers", 0]
    assert compret("fit", "--name", "mine", *model, *data, "--trainer.max_steps", 3)[0] == 0
    run = tmp_path / "checkpoints" / "mine" / "version_0"
    trained = compret("explain", A, B, "--ckpt_path", run / "last.ckpt")[1]
    assert trained == compret("explain", A, B, "--model", run / "export")[1]
    assert trained != compret("explain", A, B, "--model", tiny)[1]


def test_lines_of_a_terminal_fit_it_and_differing_words_are_red(tiny: Path) -> None:
    found = explain(load_model(tiny), f"{A} " * 3 + "\x1b[2J", B)
    said = lines(found, 40, colours=True)
    bare = [line.replace("\033[1;31m", "").replace("\033[0m", "") for line in said]
    assert bare == lines(found, 40, colours=False)
    assert max(len(line) for line in bare if line.startswith("  ")) <= 40
    assert any("\033[1;31m[" in line for line in said)
    assert "\x1b[2J" not in "\n".join(said)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([A], "the following arguments are required: TEXT_B"),
        ([A, " "], "TEXT_B: empty"),
        ([A, B, "--model", "no/such/model"], "--model no/such/model: no such folder"),
        ([A, B, "--ckpt_path", "none.ckpt"], "--ckpt_path none.ckpt: no such file"),
        ([A, B, "--ckpt_path", "text.ckpt"], "--ckpt_path text.ckpt: not a checkpoint of compret"),
        ([A, B, "--model", ".", "--ckpt_path", "text.ckpt"], "--ckpt_path, --model: give one of them"),
        ([A, B, "--out", "map.bmp"], "--out map.bmp: a figure is .png, .pdf, .svg"),
    ],
)
def test_a_mistake_is_one_line(compret: Run, tmp_path: Path, arguments: list[str], told: str) -> None:
    (tmp_path / "text.ckpt").write_text("a text")
    code, said = compret("explain", *arguments)
    assert code == 2
    assert told in said
    assert len(said.strip().splitlines()) == 1
