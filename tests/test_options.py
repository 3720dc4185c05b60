"""Whose options count: what is typed, then configs, then a checkpoint's recipe, then defaults (law 9)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from jsonargparse import Namespace
from safetensors.torch import load_file

from compret.__main__ import main
from compret.config_files import shipped_configs
from compret.data import Triplets
from compret.options import check_numbers
from compret.types import UserError

Run = Callable[..., tuple[int, str]]
QUIET = (
    *("--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"),
    *("--trainer.enable_model_summary", "false", "--trainer.logger", "false"),
)
VERIFIER = ("--model", "SimilarityMapVerifier", "--model.verifier", "MapCNN")


def small(triplets: Path, steps: int) -> tuple[str, ...]:
    data = ("--data.files", f"[{triplets}]", "--data.batch_size", "8", "--data.workers", "0")
    return (*data, "--trainer.max_steps", str(steps), *QUIET)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> dict[str, Path]:
    """Checkpoints of a frozen verifier and of an encoder, whose options are none of the defaults."""
    root = tmp_path_factory.mktemp("stored")
    rows = [{"anchor": f"the dog saw {i}", "positive": f"a dog saw {i}"} for i in range(40)]
    (root / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    common = ("--model.backbone", str(tiny), "--model.max_length", "24", "--model.pooling", "cls")
    frozen = ("--model.frozen", "true", "--model.special_tokens", "false", "--model.recall_weight", "20")
    for name, model in (("frozen", (*VERIFIER, *frozen)), ("encoder", ())):
        where = ("--name", name, "--trainer.default_root_dir", str(root))
        assert main(["fit", *model, *common, *small(root / "rows.jsonl", 2), *where]) == 0
    return {name: root / "checkpoints" / name / "version_0" / "last.ckpt" for name in ("frozen", "encoder")}


@pytest.fixture
def model(compret: Run) -> Callable[..., dict[str, Any]]:
    """The model's options as a command line leaves them."""

    def of(*arguments: object) -> dict[str, Any]:
        code, said = compret(*arguments, "--print_config")
        assert code == 0, said
        options = yaml.safe_load(said)["model"]
        return {"class": options["class_path"].rpartition(".")[2], **options["init_args"]}

    return of


def test_a_recipe_fills_what_nobody_named(model: Any, stored: dict[str, Path], tiny: Path) -> None:
    options = model("test", "--ckpt_path", stored["frozen"])
    assert options["class"] == "SimilarityMapVerifier"
    assert options["verifier"]["class_path"].endswith("MapCNN")
    expected = {
        "backbone": str(tiny),
        "frozen": True,
        "special_tokens": False,
        "recall_weight": 20,
        "max_length": 24,
        "pooling": "cls",
    }
    assert {name: options[name] for name in expected} == expected


EXPLICIT = {"recall_weight": 0.0, "frozen": False, "special_tokens": True, "pooling": None, "max_length": None}
"""All of them defaults."""


@pytest.mark.parametrize("as_config", [False, True])
@pytest.mark.parametrize("class_is_named", [False, True])
def test_what_is_named_wins_also_where_it_is_the_default(
    model: Any, stored: dict[str, Path], tmp_path: Path, as_config: bool, class_is_named: bool
) -> None:
    named = ("--model", "SimilarityMapVerifier") if class_is_named else ()
    given = [word for name, value in EXPLICIT.items() for word in (f"--model.{name}", json.dumps(value))]
    if as_config:
        (tmp_path / "mine.yaml").write_text(yaml.dump({"model": {"init_args": EXPLICIT}}))
        given = ["--config", "mine.yaml"]
    options = model("test", *named, *given, "--ckpt_path", stored["frozen"])
    assert {name: options[name] for name in EXPLICIT} == EXPLICIT
    assert options["verifier"]["class_path"].endswith("MapCNN")


def test_what_is_typed_wins_over_a_config_behind_it(model: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("model: {init_args: {max_length: 16, pooling: cls}}")
    options = model("fit", "--model.max_length", 20, "--config", "mine.yaml")
    assert (options["max_length"], options["pooling"]) == (20, "cls")


def test_a_later_config_wins_over_an_earlier_one(model: Any, tmp_path: Path) -> None:
    for name, length in (("one", 16), ("two", 20)):
        (tmp_path / f"{name}.yaml").write_text(f"model: {{init_args: {{max_length: {length}}}}}")
    assert model("fit", "-c", "one.yaml", "--config=two.yaml")["max_length"] == 20


@pytest.mark.parametrize("config", ["both", "nanobeir", "nearmiss", "pydoc", "predict"])
def test_configs_without_a_model_take_the_checkpoints(model: Any, stored: dict[str, Path], config: str) -> None:
    command = "predict" if config == "predict" else "test"
    for name, kind in (("frozen", "SimilarityMapVerifier"), ("encoder", "DualEncoder")):
        options = model(command, "--config", f"{config}.yaml", "--ckpt_path", stored[name])
        assert (options["class"], options["max_length"]) == (kind, 24)


def test_the_class_of_a_config_gives_way_and_its_options_do_not(
    compret: Run, stored: dict[str, Path], tmp_path: Path, pairs: Path
) -> None:
    """Any config with suites tests any checkpoint; training goes on with what it began with."""
    config = {"model": {"class_path": "compret.tasks.DualEncoder", "init_args": {"max_length": 16}}}
    (tmp_path / "mine.yaml").write_text(yaml.dump(config))
    arguments = ("--config", "mine.yaml", "--ckpt_path", stored["frozen"], "--trainer.accelerator", "cpu")
    near = ("--data", "NearMissPairs", "--data.files", f"[{pairs}]", "--trainer.enable_progress_bar", "false")
    code, said = compret("test", *arguments, *near)
    assert code == 0, said
    assert "the checkpoint is of SimilarityMapVerifier, and so is the model" in said
    meta = json.loads((tmp_path / "logs/test/version_0/results.json").read_text())["meta"]
    assert (meta["max_length"], meta["pooling"]) == (16, "cls")
    code, said = compret("fit", *arguments)
    assert code == 2
    assert "--ckpt_path: a checkpoint of SimilarityMapVerifier, and the model is compret.tasks.DualEncoder" in said


def test_an_end_to_end_config_trains_a_frozen_checkpoint_end_to_end(
    compret: Run, stored: dict[str, Path], tiny: Path, triplets: Path, tmp_path: Path
) -> None:
    options = (*small(triplets, 4), "--data.weights", "null", "--data.validation", "null")
    fit = ("fit", "--config", "verifier_cnn_e2e.yaml", *options, "--model.max_length", 24)
    code, said = compret(*fit, "--ckpt_path", stored["frozen"])
    assert code == 0, said
    assert "its optimiser begins anew" in said
    run = tmp_path / "checkpoints" / "verifier_cnn_e2e" / "version_0"
    trained, before = load_file(run / "export" / "model.safetensors"), load_file(tiny / "model.safetensors")
    assert max(float((trained[name] - before[name]).abs().max()) for name in before) > 1e-6
    assert torch.load(run / "last.ckpt", weights_only=True)["global_step"] == 4

    code, said = compret(*fit, "--ckpt_path", run / "last.ckpt")
    assert (code, "begins anew" in said) == (0, False)
    assert "of step 4: nothing is left to train; --trainer.max_steps 8 trains as long again" in said


END_TO_END = sorted(shipped_configs()[-1].glob("*_e2e.yaml"))


@pytest.mark.parametrize("config", END_TO_END, ids=lambda path: path.stem)
def test_end_to_end_configs_say_that_they_are(model: Any, stored: dict[str, Path], config: Path) -> None:
    assert model("fit", "--config", config, "--ckpt_path", stored["frozen"])["frozen"] is False


def test_last_and_best_are_those_of_the_newest_run(
    compret: Run, stored: dict[str, Path], tmp_path: Path, pairs: Path
) -> None:
    data = ("--data", "NearMissPairs", "--data.files", f"[{pairs}]", *QUIET[:4], "--name", "mine")
    code, said = compret("test", *data, "--ckpt_path", "last")
    assert code == 2
    assert "--ckpt_path last: there is no checkpoints/mine/VERSION/last.ckpt; give --name of a fit" in said
    for version in ("version_10", "version_9"):  # the newest, not the one with the largest number
        folder = tmp_path / "checkpoints" / "mine" / version
        folder.mkdir(parents=True)
        (folder / "last.ckpt").write_bytes(stored["encoder"].read_bytes())
    code, said = compret("test", *data, "--ckpt_path", "last")
    assert code == 0, said
    (results,) = tmp_path.glob("logs/mine/*/results.json")
    assert json.loads(results.read_text())["meta"]["checkpoint"] == "checkpoints/mine/version_9/last.ckpt"
    code, said = compret("test", *data, "--ckpt_path", "best")
    assert (code, "no checkpoints/mine/VERSION/best.ckpt" in said) == (2, True)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("", "an empty name; give a file, or leave it out"),
        ("hpc", "a SLURM job that is queued anew finds its last.ckpt by itself"),
        ("registry:mine", "there is none"),
    ],
)
def test_words_of_lightning_without_a_file_are_refused(compret: Run, word: str, reason: str) -> None:
    code, said = compret("test", "--ckpt_path", word)
    assert code == 2
    assert f"compret: {f'--ckpt_path {word}'.strip()}: {reason}" in said


def test_the_smallest_and_largest_numbers_are_taken() -> None:
    check_numbers(Namespace({"checkpoint_every": 1, "seed_everything": 0, "trainer": {"gradient_clip_val": 0}}))
    check_numbers(Namespace({"seed_everything": 2**32 - 1, "trainer": {"log_every_n_steps": 0, "max_steps": -1}}))
    with pytest.raises(UserError, match="--seed_everything 4294967296: at most 4294967295"):
        check_numbers(Namespace({"seed_everything": 2**32}))
    with pytest.raises(UserError, match="--trainer.max_steps: a number of 401 digits; at most 9223372036854775807"):
        check_numbers(Namespace({"trainer": Namespace(max_steps=10**400)}))


@pytest.mark.parametrize(
    ("option", "value"),
    [("--trainer.accelerator", "hf://x/y"), ("--model.verifier", "{}"), ("--data.validation", "[{}]")],
)
def test_neither_a_url_nor_a_class_that_is_none_gets_anywhere(
    compret: Run, tiny: Path, triplets: Path, monkeypatch: pytest.MonkeyPatch, option: str, value: str
) -> None:
    """Values that look like URLs were opened as configs; classes that only describe others were built."""
    monkeypatch.setattr("huggingface_hub.HfApi.repo_info", lambda *_, **__: pytest.fail("the hub was asked"))
    code, said = compret("fit", *VERIFIER[:2], "--model.backbone", tiny, *small(triplets, 1), f"{option}={value}")
    assert code == 2
    (line,) = [line for line in said.splitlines() if line.startswith("compret: ")]
    assert value.strip("[]") in line


def test_a_value_that_is_taken_for_none_is_one_line(compret: Run) -> None:
    code, said = compret("fit", "--print_config=--")
    assert (code, "compret: an option has a value that it cannot take" in said) == (2, True), said


def test_one_callback_needs_no_list(compret: Run, tiny: Path, pairs: Path) -> None:
    data = ("--data", "NearMissPairs", "--data.files", f"[{pairs}]", "--model.backbone", tiny)
    code, said = compret("test", *data, *QUIET, "--trainer.callbacks", "DeviceStatsMonitor", "--trainer.logger", "true")
    assert code == 0, said


@pytest.mark.parametrize(("words", "seed"), [((), 42), (("--seed_everything", "7"), 7)])
def test_the_seed_is_that_of_the_data_too(
    compret: Run, tiny: Path, triplets: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], seed: int
) -> None:
    def stopped(self: Triplets, stage: str) -> None:
        raise UserError(f"the data's seed is {self.seed}")

    monkeypatch.setattr(Triplets, "setup", stopped)
    code, said = compret("fit", "--model.backbone", tiny, *small(triplets, 1), *words)
    assert (code, f"compret: the data's seed is {seed}\n" in said) == (2, True), said


def test_help_says_what_a_checkpoint_path_may_be(compret: Run) -> None:
    code, said = compret("test", "--help")
    assert code == 0
    assert "A checkpoint, an export, or last or best" in " ".join(said.split())
