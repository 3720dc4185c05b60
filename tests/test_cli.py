"""The command line as a user meets it: commands, configs by name, runs on a tiny model, and one-line errors."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml

from compret.__main__ import main
from compret.config_files import find_config, shipped_configs

Run = Callable[..., tuple[int, str]]
CONFIGS = sorted(path for path in shipped_configs()[0].rglob("*.yaml") if path.parent.name != "experiments")


def on_tiny(tiny: Path, *more: object) -> list[object]:
    """Options that make any run small and quiet."""
    quiet = ["--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"]
    model = ["--model.backbone", tiny, "--model.max_length", 32]
    return [*model, *quiet, "--trainer.enable_model_summary", "false", *more]


def fit_options(tiny: Path, triplets: Path, steps: int, *more: object) -> list[object]:
    data = ["--data.files", f"[{triplets}]", "--data.batch_size", 8, "--data.workers", 0]
    return on_tiny(tiny, "--trainer.max_steps", steps, *data, *more)


def test_help_without_a_command_names_the_commands(compret: Run) -> None:
    code, said = compret("--help")
    assert code == 0
    assert all(command in said for command in ("fit", "validate", "test", "predict", "report"))


@pytest.mark.parametrize("arguments", [[], ["fti"]])
def test_a_wrong_command_is_answered_with_exit_code_2(compret: Run, arguments: list[str]) -> None:
    code, said = compret(*arguments)
    assert code == 2
    assert "usage: compret" in said


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_each_shipped_config_parses_and_says_how_it_is_run(compret: Run, config: Path) -> None:
    head = config.read_text(encoding="utf-8").split("\nname:")[0]
    commands = [line for line in head.splitlines() if "compret " in line and line.startswith("#   ")]
    assert commands, f"{config.name}: its head shows no command"
    arguments = shlex.split(commands[0].split("compret ", 1)[1])
    configs = [find_config(name).resolve() for option, name in pairwise(arguments) if option == "--config"]
    code, said = compret(*arguments, "--print_config")
    assert code == 0, said
    assert config.resolve() in configs
    names = [yaml.safe_load(path.read_text(encoding="utf-8")).get("name") for path in configs]
    assert yaml.safe_load(said)["name"] == [name for name in names if name][-1]


def test_configs_are_found_here_then_in_configs_then_among_the_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config("encoder_structneg.yaml").parent in shipped_configs()
    for folder in (Path("configs"), Path()):
        folder.mkdir(exist_ok=True)
        (folder / "encoder_structneg.yaml").touch()
        assert find_config("encoder_structneg.yaml").parent == folder


def test_options_override_the_config(compret: Run) -> None:
    code, said = compret(
        "fit", "--config", "encoder_structneg.yaml", "--data.weights", "[0.7,0.3]", "--model.loss.temperature", 0.5,
        "--model.lora.rank", 4, "--print_config",
    )  # fmt: skip
    parsed = yaml.safe_load(said)
    assert code == 0
    assert parsed["data"]["init_args"]["weights"] == [0.7, 0.3]
    assert parsed["model"]["init_args"]["loss"]["init_args"]["temperature"] == 0.5
    assert parsed["model"]["init_args"]["lora"]["rank"] == 4


def test_fit_test_predict_and_report_from_one_folder(
    compret: Run, tiny: Path, triplets: Path, beir: Path, pairs: Path, tmp_path: Path
) -> None:
    validation = [{"class_path": "compret.data.NanoBEIR", "init_args": {"source": str(beir), "datasets": ["park"]}}]
    (tmp_path / "val.yaml").write_text(yaml.dump({"data": {"init_args": {"validation": validation}}}))
    options = fit_options(tiny, triplets, 6, "--trainer.val_check_interval", 3)
    assert compret("fit", "--config", "encoder_baseline.yaml", "--config", "val.yaml", *options)[0] == 0
    run = tmp_path / "checkpoints" / "encoder_baseline" / "version_0"
    assert {p.name for p in run.iterdir()} == {"last.ckpt", "best.ckpt", "export"}
    assert "Contrast(temperature=0.1" in (run / "export" / "README.md").read_text()
    assert (tmp_path / "logs" / "encoder_baseline" / "version_0" / "config.yaml").is_file()

    where = ["--data.source", beir, "--data.datasets", "[zoo,park]", "--ckpt_path", run / "last.ckpt"]
    code, said = compret("test", "--config", "nanobeir.yaml", *on_tiny(tiny), *where)
    assert code == 0, said
    results = json.loads((tmp_path / "logs" / "nanobeir" / "version_0" / "results.json").read_text())
    assert set(results["retrieval"]) == {"zoo", "park", "mean"}
    assert results["meta"]["counts"]["zoo"]["dropped_empty_documents"] == 1
    assert results["meta"]["max_length"] == 32
    assert results["meta"]["checkpoint"].endswith("last.ckpt")

    exported = ["--model.backbone", run / "export", "--trainer.logger", "true"]
    code, said = compret("test", "--config", "nearmiss.yaml", *on_tiny(tiny), *exported, "--data.files", f"[{pairs}]")
    assert code == 0, said
    found = json.loads((tmp_path / "logs" / "nearmiss" / "version_0" / "results.json").read_text())["nearmiss"]
    assert set(found["pairs"]["categories"]) == {"role-swap", "order"}

    code, said = compret("report", "logs/nanobeir/version_0", "pairs=logs/nearmiss/version_0")
    assert code == 0
    assert len([line for line in said.splitlines() if line.startswith("|")]) == 4
    assert f"{results['retrieval']['mean']['ndcg@10']:.3f}" in said

    (tmp_path / "texts.txt").write_text("the dog bit the man\n\nthe man bit the dog\n")
    for output in ("a.npy", "a.parquet"):
        assert compret("predict", *on_tiny(tiny), "--data.file", "texts.txt", "--data.output", output)[0] == 0
    assert np.allclose(np.linalg.norm(np.load(tmp_path / "a.npy"), axis=1), 1, atol=1e-6)
    assert np.load(tmp_path / "a.npy").shape == (3, 32)


def test_validate_runs_suites(compret: Run, tiny: Path, beir: Path) -> None:
    code, said = compret("validate", *on_tiny(tiny), "--data.source", beir)
    assert code == 0
    assert "zoo: nDCG@10" in said


def test_a_checkpoint_brings_its_own_backbone(
    compret: Run, tiny: Path, triplets: Path, beir: Path, tmp_path: Path
) -> None:
    assert compret("fit", *fit_options(tiny, triplets, 1, "--model.pooling", "cls"))[0] == 0
    options = [o for o in on_tiny(tiny) if o not in ("--model.backbone", tiny, "--model.max_length", 32)]
    checkpoint = tmp_path / "checkpoints" / "fit" / "version_0" / "last.ckpt"
    assert compret("test", *options, "--data.source", beir, "--ckpt_path", checkpoint)[0] == 0
    meta = json.loads((tmp_path / "logs" / "test" / "version_0" / "results.json").read_text())["meta"]
    assert (meta["backbone"], meta["pooling"]) == (str(tiny), "cls")


def bad_inputs(tmp: Path, tiny: Path, beir: Path) -> dict[str, tuple[list[object], str]]:
    """Name -> arguments, and what the one line must hold."""
    files = {
        "column.jsonl": '{"anchor": "a", "positive": "b"}\n{"anchor": "a"}\n',
        "missing.csv": "anchor,answers\na,b\n",
        "empty.jsonl": "",
        "broken.jsonl": '{"anchor": "a", "positive": "b"}\n{"anchor": \n',
        "label.jsonl": '{"anchor": "a", "candidate": "b", "label": 1}\n{"anchor": "a", "candidate": "b", "label": 2}\n',
        "taken": "a file where a folder should go",
        "not.ckpt": "no checkpoint",
        "empty.ckpt": "",
        "broken.yaml": "model: [",
        "misspelt.yaml": "model: {init_args: {optimizer: {lrr: 1}}}",
    }
    for name, text in files.items():
        (tmp / name).write_text(text)
    (tmp / "nomodel").mkdir()
    for name, line in (("unknown", "q0\td999\t1"), ("twice", "")):
        source, copy = beir / "zoo", tmp / "bad" / name
        (copy / "qrels").mkdir(parents=True)
        corpus = (source / "corpus.jsonl").read_text()
        (copy / "corpus.jsonl").write_text(corpus + (corpus.splitlines()[0] + "\n" if name == "twice" else ""))
        (copy / "queries.jsonl").write_text((source / "queries.jsonl").read_text())
        (copy / "qrels" / "test.tsv").write_text((source / "qrels" / "test.tsv").read_text() + line)
    fit, test = ["fit", *on_tiny(tiny)], ["test", *on_tiny(tiny)]
    near = [*test, "--data", "NearMissPairs"]
    return {
        "missing column": ([*fit, "--data.files", "[missing.csv]"], "missing.csv: no column 'positive'"),
        "missing value": ([*fit, "--data.files", "[column.jsonl]"], "column.jsonl: line 2, column 'positive' is empty"),
        "empty file": ([*fit, "--data.files", "[empty.jsonl]"], "empty.jsonl: the file is empty"),
        "broken line": ([*fit, "--data.files", "[broken.jsonl]"], "broken.jsonl: line 2: not valid JSON"),
        "no file": ([*fit, "--data.files", "[none.jsonl]"], "none.jsonl: no such file"),
        "label": ([*near, "--data.files", "[label.jsonl]"], "label.jsonl: line 2: label '2' must be 1"),
        "unknown qrel": ([*test, "--data.source", "bad", "--data.datasets", "[unknown]"], "corpus-id 'd999'"),
        "id twice": ([*test, "--data.source", "bad", "--data.datasets", "[twice]"], "'d0' stands there twice"),
        "no model": (["test", "--model.backbone", "nomodel", "--data.source", beir], "nomodel: no model there"),
        "no hub": (
            ["test", "--model.backbone", "no/such", "--data.source", beir],
            "no/such: no such folder, and the hub",
        ),
        "no hub data": ([*test, "--data.source", "no/such"], "no/such corpus NanoClimateFEVER"),
        "no dataset": (
            [*test, "--data.source", beir, "--data.datasets", "[zo]"],
            "no dataset 'zo'; did you mean 'zoo'?",
        ),
        "unwritable": (
            [*test, "--data.source", beir, "--trainer.default_root_dir", "taken"],
            "cannot be written (Not a directory); set --trainer.default_root_dir",
        ),
        "no config": (["test", "--config", "none.yaml"], "--config none.yaml: no such file here"),
        "no checkpoint": (
            [*test, "--data.source", beir, "--ckpt_path", "none.ckpt"],
            "--ckpt_path none.ckpt: no such file",
        ),
        "bad checkpoint": ([*test, "--data.source", beir, "--ckpt_path", "not.ckpt"], "not.ckpt: not a checkpoint"),
        "empty checkpoint": ([*fit, "--ckpt_path", "empty.ckpt"], "empty.ckpt: the file is empty"),
        "checkpoint folder": ([*fit, "--ckpt_path", "nomodel"], "nomodel: a folder without .metadata"),
        "model as checkpoint": ([*fit, "--ckpt_path", tiny], "an export, and training cannot go on from it; give last"),
        "no text file": (["predict", *on_tiny(tiny)], "--data.file: must be given"),
        "weights": (
            [*fit, "--data.weights", "[1,2]", "--data.files", "[column.jsonl]"],
            "data.weights: 2 weights for 1 files",
        ),
        "no option": ([*fit, "--modl.x", 3], "--modl.x: no such option; compret fit --help lists them"),
        "misspelt option": (
            [*fit, "--model.dropuot", 0],
            "--model.dropuot: no such option of DualEncoder; did you mean --model.dropout?",
        ),
        "option of another": ([*fit, "--data.output", "x"], "--data.output: no such option of Triplets; it has files,"),
        "misspelt trainer": ([*fit, "--trainer.max_stepz", 3], "did you mean --trainer.max_steps?"),
        "misspelt in a config": ([*fit, "--config", "misspelt.yaml"], "did you mean --model.optimizer.lr?"),
        "broken config": ([*fit, "--config", "broken.yaml"], "--config broken.yaml: "),
        "no number": ([*fit, "--model.optimizer.lr", "abc"], "--model.optimizer.lr abc: expected a float"),
        "no list": ([*fit, "--data.files", "a.jsonl"], "--data.files a.jsonl: expected a list, as in [a,b]"),
        "no class": ([*fit, "--model", "Foo"], "--model Foo: no such class or file"),
        "no choice": ([*fit, "--matmul_precision", "low"], "--matmul_precision low: expected one of 'highest', "),
        "no abbreviation": ([*fit, "--ckpt_pat", "x"], "--ckpt_pat: no such option; did you mean --ckpt_path?"),
        "too many ranks": ([*fit, "--trainer.devices", 99], "cores, and more processes only take turns; give at most"),
        "no accelerator": (["test", "--trainer.accelerator", "gpu", "--model.backbone", tiny], "gpu"),
    }


MISTAKES = (
    "missing column, missing value, empty file, broken line, no file, label, unknown qrel, id twice, no model, no hub, "
    "no hub data, no dataset, unwritable, no config, no checkpoint, bad checkpoint, empty checkpoint, "
    "checkpoint folder, model as checkpoint, no text file, weights, no option, misspelt option, option of another, "
    "misspelt trainer, misspelt in a config, broken config, no number, no list, no class, no choice, no accelerator, "
    "no abbreviation, too many ranks"
).split(", ")


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_in_one_line_with_exit_code_2(
    compret: Run, tmp_path: Path, tiny: Path, beir: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delenv("COMPRET_MORE_RANKS", raising=False)
    arguments, expected = bad_inputs(tmp_path, tiny, beir)[name]
    code, said = compret(*arguments)
    told = [line for line in said.splitlines() if line.startswith("compret: ")]
    assert code == 2, said
    assert len(told) == 1
    assert expected in told[0]
    assert "Traceback" not in said
    assert not list(tmp_path.rglob("results.json"))
    assert not list(tmp_path.rglob("*.tmp"))


VERIFIER = ("--model", "SimilarityMapVerifier")


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--model.dropout", 2, "model.dropout 2.0: a probability, from 0 to below 1"),
        ("--model.dropout", -0.1, "model.dropout -0.1: a probability"),
        ("--model.dropout", 1, "model.dropout 1.0: a probability"),
        ("--model.lora.rank", 0, "model.lora.rank 0: at least 1"),
        ("--model.lora.dropout", 3, "model.lora.dropout 3.0: a probability"),
        ("--model.max_length", 0, "max_length 0: "),
        ("--model.max_length", -1, "max_length -1: "),
        ("--model.chunk_size", 0, "model.chunk_size 0: at least 1 text"),
        ("--model.loss.temperature", 0, "model.loss.temperature 0.0: above 0"),
        ("--model.loss.temperature", -1, "model.loss.temperature -1.0: above 0"),
        ("--model.optimizer.lr", -1, "model.optimizer.lr -1.0: at least 0"),
        ("--model.optimizer.weight_decay", ".inf", "model.optimizer.weight_decay inf: at least 0, and finite"),
        ("--model.optimizer.warmup", -1, "model.optimizer.warmup -1: at least 0"),
        ("--model.retention", -1, "model.retention -1.0: at least 0"),
        ("--model.recall_weight", -1, "model.recall_weight -1.0: at least 0"),
        ("--model.false_accept_rate", 1, "model.false_accept_rate 1.0: a share from 0 to below 1"),
        ("--model.false_accept_rate", -0.1, "model.false_accept_rate -0.1: a share"),
        ("--model.budget", 0, "model.budget 0: at least 1"),
        ("--model.disk_budget", -1, "model.disk_budget -1: at least 0"),
        ("--data.batch_size", 0, "data.batch_size"),
        ("--data.batch_size", -8, "data.batch_size"),
        ("--checkpoint_every", 0, "--checkpoint_every 0: at least 1"),
        ("--checkpoint_every", -5, "--checkpoint_every -5: at least 1"),
        ("--seed_everything", -3, "--seed_everything -3: at least 0"),
        ("--seed_everything", 2**40, "--seed_everything 1099511627776: at most 4294967295"),
        ("--trainer.gradient_clip_val", -1, "--trainer.gradient_clip_val -1: at least 0"),
        ("--trainer.accumulate_grad_batches", 0, "--trainer.accumulate_grad_batches 0: at least 1"),
        ("--trainer.max_steps", -7, "`max_steps` must be"),
    ],
)
def test_a_number_out_of_range_is_told_in_one_line(
    compret: Run, tiny: Path, triplets: Path, tmp_path: Path, option: str, value: object, told: str
) -> None:
    of_verifiers = ("retention", "recall_weight", "false_accept_rate", "budget")
    model = VERIFIER if option.endswith(of_verifiers) else ()
    code, said = compret("fit", *model, *fit_options(tiny, triplets, 1, f"{option}={value}"))
    (line,) = [line for line in said.splitlines() if line.startswith("compret: ")]
    assert (code, told in line, "Traceback" in said) == (2, True, False), said
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize("loss", ["Contrast", "RankNet", "Binary"])
def test_no_loss_divides_by_nothing(compret: Run, tiny: Path, triplets: Path, loss: str) -> None:
    options = fit_options(tiny, triplets, 1, "--model.loss", loss, "--model.loss.temperature", 0)
    code, said = compret("fit", *VERIFIER, *options)
    assert (code, "model.loss.temperature 0.0: above 0" in said) == (2, True), said


def test_slow_bf16_is_told_with_the_measured_ratio(
    compret: Run, tiny: Path, triplets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for slowdown, precision, is_told in ((312.4, "bf16-mixed", True), (0.5, "bf16-mixed", False), (312.4, 32, False)):
        monkeypatch.setattr("compret.nn.bf16.bf16_slowdown", lambda slowdown=slowdown: slowdown)
        code, said = compret("fit", *fit_options(tiny, triplets, 1, "--trainer.precision", precision))
        assert code == 0, said
        told = "bf16: on this CPU, products of bf16 matrices take 312.4 times as long as float32's"
        assert (told in said) == is_told


def test_no_traceback_reaches_the_terminal(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "compret", "fit", "--data.files", "[none.jsonl]", "--trainer.accelerator", "cpu"],
        capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "HF_HUB_OFFLINE": "1"}, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "compret: none.jsonl: no such file" in done.stderr


def test_ctrl_c_before_there_is_a_trainer_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def pressed() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("compret.__main__._runner", pressed)
    assert main(["test"]) == 130
    assert capsys.readouterr().err == "compret: interrupted\n"


@pytest.mark.parametrize(
    ("arguments", "temperature", "rate"),
    [
        ((), 0.05, 2e-5),
        (("--model.loss", "Binary"), 1.0, 2e-5),
        (("--model", "SimilarityMapVerifier"), 0.1, 2e-5),
        (("--model", "SimilarityMapVerifier", "--model.loss", "compret.losses.Binary"), 1.0, 2e-5),
        (("--model", "SimilarityMapVerifier", "--model.loss", "RankNet", "--model.loss.temperature", "3"), 3.0, 2e-5),
        (("--model", "CrossEncoder"), 1.0, 4e-5),
        (("--config", "own.yaml"), 1.0, 4e-5),
        (("--config", "own.yaml", "--model.loss.temperature", "0.5"), 0.5, 4e-5),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_class_has_its_own_defaults_and_none_of_another_class(
    compret: Run, tmp_path: Path, arguments: tuple[str, ...], temperature: float, rate: float
) -> None:
    """bug: logits of a cross-encoder were divided by 0.05, the temperature of DualEncoder's cosines."""
    (tmp_path / "own.yaml").write_text("model: {class_path: CrossEncoder, init_args: {loss: {class_path: Binary}}}")
    code, said = compret("fit", *arguments, "--print_config")
    assert code == 0, said
    model = yaml.safe_load(said)["model"]["init_args"]
    assert (model["loss"]["init_args"]["temperature"], model["optimizer"]["lr"]) == (temperature, rate)
