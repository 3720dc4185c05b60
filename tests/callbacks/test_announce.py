"""What a run says of itself: that it goes on, that nothing is left, and next commands that can be copied and run."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str]]


def quiet(tiny: Path) -> list[object]:
    return ["--model.backbone", tiny, "--model.max_length", 32, "--trainer.accelerator", "cpu"]


def fit(tiny: Path, triplets: Path) -> list[object]:
    data = ["--data.files", f"[{triplets}]", "--data.batch_size", 8, "--data.workers", 0]
    return ["fit", "--name", "mine", *quiet(tiny), *data]


def command(said: str, opening: str) -> list[str]:
    (line,) = [line for line in said.splitlines() if line.startswith(opening)]
    words = shlex.split(line.removeprefix(opening))
    assert words[0] == "compret"
    return words[1:]


def test_a_fit_says_what_it_wrote(compret: Run, tiny: Path, triplets: Path, tmp_path: Path) -> None:
    code, said = compret(*fit(tiny, triplets), "--trainer.max_steps", 2)
    assert code == 0
    wrote = [line.removeprefix("wrote: ") for line in said.splitlines() if line.startswith("wrote: ")]
    assert {Path(path).name for path in wrote} == {"last.ckpt", "export"}
    assert all((tmp_path / path).exists() for path in wrote)
    assert "fit: 2 steps in " in said


def test_the_command_that_explains_explains(compret: Run, tiny: Path, triplets: Path) -> None:
    said = compret(*fit(tiny, triplets), "--trainer.max_steps", 1)[1]
    code, said = compret(*command(said, "explain a pair: "))
    assert code == 0, said
    assert "pooled cosine" in said


def test_a_verifier_that_nothing_imports_is_not_explained(
    compret: Run, tiny: Path, triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "verifier_of_a_user.py").write_text(
        "from compret.nn.verifiers import Verifier\n"
        "class First(Verifier):\n    def forward(self, maps):\n        return maps.cosine_P\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    verifier = ["--model", "SimilarityMapVerifier", "--model.verifier", "verifier_of_a_user.First"]
    code, said = compret(*fit(tiny, triplets), *verifier, "--trainer.max_steps", 1)
    assert code == 0, said
    assert "test it: " in said
    assert "explain a pair: " not in said


@pytest.mark.parametrize("logger", ["true", "false"])
def test_texts_a_second_are_those_that_were_trained_on(
    compret: Run, tiny: Path, triplets: Path, monkeypatch: pytest.MonkeyPatch, logger: str
) -> None:
    """Three steps of 8 rows of three texts, in as many seconds as a clock says that is only asked when it matters."""

    class Clock:
        seconds = 0.0

        def perf_counter(self) -> float:
            Clock.seconds += 1.0
            return Clock.seconds

    monkeypatch.setattr("compret.callbacks.monitors.time", Clock())
    said = compret(*fit(tiny, triplets), "--trainer.max_steps", 3, "--trainer.logger", logger)[1]
    assert "fit: 3 steps in " in said
    assert ", 72 texts a second, train_loss" in said


@pytest.mark.parametrize("longer", ["max_steps", "max_epochs"])
def test_the_command_that_goes_on_goes_on(
    compret: Run, tiny: Path, triplets: Path, tmp_path: Path, longer: str
) -> None:
    said = compret(*fit(tiny, triplets), f"--trainer.{longer}", 1)[1]
    code, said = compret(*command(said, "go on: "))
    assert code == 0, said
    per_epoch = 1 if longer == "max_steps" else 7
    end = "step 2" if longer == "max_steps" else "the end of epoch 2"
    assert f"goes on from checkpoints/mine/version_0/last.ckpt: from step {per_epoch} to {end}" in said
    assert f"fit: {per_epoch} steps in " in said


@pytest.mark.parametrize("longer", ["max_steps", "max_epochs"])
def test_that_nothing_is_left_is_told_with_what_to_type(compret: Run, tiny: Path, triplets: Path, longer: str) -> None:
    arguments = [*fit(tiny, triplets), f"--trainer.{longer}", 1]
    compret(*arguments)
    code, said = compret(*arguments, "--ckpt_path", "last")
    assert code == 0, said
    assert f"nothing is left to train; --trainer.{longer} 2 trains as long again" in said
    assert "fit: nothing was trained" in said
    assert "goes on from" not in said


def test_the_command_that_tests_runs_from_the_same_folder(
    compret: Run, tiny: Path, triplets: Path, embedded: Path, tmp_path: Path
) -> None:
    said = compret(*fit(tiny, triplets), "--trainer.max_steps", 1, "--trainer.default_root_dir", "runs")[1]
    code, said = compret(*command(said, "test it: "), "--trainer.accelerator", "cpu")
    assert code == 0, said
    (results,) = tmp_path.rglob("results.json")
    assert results.parent == tmp_path / "runs" / "logs" / "mine" / "version_1"


def test_a_configs_own_suites_are_tested(compret: Run, tiny: Path, triplets: Path) -> None:
    said = compret(*fit(tiny, triplets), "--config", "verifier_cnn_frozen.yaml", "--trainer.max_steps", 1)[1]
    assert command(said, "test it: ")[:3] == ["test", "--config", "verifier_cnn_frozen.yaml"]


def test_predict_says_what_it_wrote(compret: Run, tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("the dog\n\nthe cat\n")
    code, said = compret("predict", *quiet(tiny), "--data.file", "texts.txt", "--data.output", "out.npy")
    assert code == 0
    assert "wrote: out.npy, 3 vectors in the order of the lines of texts.txt" in said


def test_a_run_says_what_it_is(compret: Run, tiny: Path, pairs: Path) -> None:
    said = compret("validate", *quiet(tiny), "--data", "NearMissPairs", "--data.files", f"[{pairs}]")[1]
    assert "DualEncoder: 23,968 parameters; cpu x 1, 32-true; seed 42" in said
