"""The log file of a run: short, without codes and tips, each result on a line of its own; a bar on a terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from lightning.pytorch.callbacks import TQDMProgressBar

from compret.callbacks.progress import Lines, progress
from compret.terminal import BesideBars
from tests.processes import COMPRET, outcome

NOISE = (
    *("Total FLOPs", "TPU", "weights_only", "v_num", "Writing model shards", "GPU available", "Seed set", "Tip"),
    *("\x1b", "\r", "it/s"),
)


@pytest.fixture(scope="module")
def log_file(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> str:
    """Of a fit of 100 steps, with three validations."""
    root = tmp_path_factory.mktemp("log")
    rows = [
        f'{{"anchor": "the dog saw {i}", "positive": "a dog saw {i}", "negative": "no dog {i}"}}' for i in range(200)
    ]
    (root / "rows.jsonl").write_text("\n".join(rows))
    model = ("--model.backbone", tiny, "--model.max_length", 16, "--trainer.accelerator", "cpu")
    data = ("--config", "encoder_structneg.yaml", "--data.files", "[rows.jsonl]", "--data.batch_size", 8)
    code, said = outcome([*COMPRET, "fit", *model, *data, "--trainer.max_steps", 100], cwd=root)
    assert code == 0, said
    return said


def test_a_log_file_of_100_steps_is_short(log_file: str) -> None:
    assert len(log_file.splitlines()) <= 60
    assert max(map(len, log_file.splitlines())) <= 500


@pytest.mark.parametrize("noise", NOISE)
def test_it_has_no_codes_and_no_tips(log_file: str, noise: str) -> None:
    assert noise not in log_file


def test_results_and_steps_stand_on_lines_of_their_own(log_file: str) -> None:
    lines = log_file.splitlines()
    steps = [line for line in lines if line.startswith("step ")]
    assert 10 <= len(steps) <= 20
    assert steps[-1].startswith("step 100 of 100: train_loss ")
    assert len([line for line in lines if line.startswith("rows_held_out: AUROC ")]) == 3
    assert len([line for line in lines if line.startswith("wrote: ")]) == 3


def test_a_terminal_gets_a_bar_and_a_file_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(progress(), Lines)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert isinstance(progress(), TQDMProgressBar)


def test_a_bar_steps_aside_for_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    from tqdm import tqdm

    handler = BesideBars()
    with tqdm(total=2, file=sys.stderr) as bar:
        bar.update()
        handler.emit(logging.LogRecord("compret", logging.INFO, "", 0, "zoo: nDCG@10 0.5", None, None))
    said = capsys.readouterr().err
    assert "\rzoo: nDCG@10 0.5\n" in said


def test_a_bar_that_is_turned_off_leaves_no_lines(
    compret: Callable[..., tuple[int, str]], tiny: Path, triplets: Path
) -> None:
    options = ["--model.backbone", tiny, "--model.max_length", 32, "--trainer.accelerator", "cpu", "--data.workers", 0]
    data = ["--data.files", f"[{triplets}]", "--data.batch_size", 8, "--trainer.max_steps", 2]
    code, said = compret("fit", *options, *data, "--trainer.enable_progress_bar", "false")
    assert code == 0
    assert "step 1 of" not in said


def test_a_set_that_is_done_is_named(compret: Callable[..., tuple[int, str]], tiny: Path, pairs: Path) -> None:
    options = ["--model.backbone", tiny, "--model.max_length", 16, "--trainer.accelerator", "cpu"]
    code, said = compret("test", *options, "--data", "NearMissPairs", "--data.files", f"[{pairs}]")
    assert code == 0
    assert f"{pairs.stem}: done after " in said
