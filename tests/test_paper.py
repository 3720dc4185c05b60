"""configs/paper against the paper: all that its configs set stands in the tables below, typed from arXiv 2604.16351."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml

from compret.nn.verifiers import Verifier
from compret.recipes import shipped_configs

Run = Callable[..., tuple[int, str]]
PAPER = shipped_configs()[-1] / "paper"
SEEDS = ["42", "43", "44"]

# section 1: backbone, steps, learning rate, weight decay
ENCODERS = {
    "minilm_l6": ("sentence-transformers/all-MiniLM-L6-v2", 3375, 1e-4, 0.001),
    "minilm_l12": ("sentence-transformers/all-MiniLM-L12-v2", 2250, 8e-5, 0.005),
    "gte_small": ("thenlper/gte-small", 2250, 8e-5, 0.005),
    "gte_modernbert": ("Alibaba-NLP/gte-modernbert-base", 500, 4e-5, 0.01),
}
NQ = "sentence-transformers/natural-questions:train"
ENCODER = {
    "trainer.precision": "16-mixed",
    "matmul_precision": "high",  # TF32
    "trainer.gradient_clip_val": 1.0,
    "trainer.val_check_interval": 250,
    "trainer.check_val_every_n_epoch": None,
    "trainer.num_sanity_val_steps": -1,  # evaluation at start
    "model.class_path": "compret.tasks.DualEncoder",
    "model.init_args.max_length": 128,
    "model.init_args.loss.class_path": "compret.losses.Contrast",
    "model.init_args.loss.init_args.temperature": 0.1,  # scale 10
    "model.init_args.loss.init_args.mask_duplicates": False,
    "model.init_args.optimizer.schedule": "linear",
    "model.init_args.optimizer.warmup": 0.1,
    "data.class_path": "compret.data.Triplets",
    "data.init_args.files.0": NQ,
    "data.init_args.random_negatives": True,
    "data.init_args.batch_size": 128,
    "data.init_args.allow_duplicates": True,
    "data.init_args.holdout": 0.1,
    "data.init_args.validation_rows": 40_000,
    "data.init_args.validation.0.class_path": "compret.data.NanoBEIR",
    "data.init_args.validation.0.init_args.source": "lightonai/NanoBEIR-en",
    "data.init_args.validation.0.init_args.datasets.0": "msmarco",
    "data.init_args.validation.0.init_args.datasets.1": "nq",
    "data.init_args.test.0.class_path": "compret.data.NanoBEIR",
    "data.init_args.test.0.init_args.source": "lightonai/NanoBEIR-en",  # all 13
}
# section 2: class, options, batch, steps, parameters
F3 = {"widths.0": 128, "widths.1": 256, "hidden": 128, "dropout": 0.1, "norm": "batch", "grid": 128, "bounded": True}
F4 = {"width": 384, "layers": 1, "heads": 1, "feedforward": 32, "patch": 8, "dropout": 0.1, "grid": 128}
F4 |= {"bounded": True}
VERIFIERS: dict[str, tuple[str, Mapping[str, object], int, int, int]] = {
    "none_e2e": ("PooledCosine", {}, 128, 825, 0),
    "f0_e2e": ("MeanMap", {}, 128, 825, 0),
    "f1_e2e": ("MaxSim", {}, 128, 825, 0),
    "f2_e2e": ("SoftAlignment", {"distance": 0.1, "temperature": 0.1}, 128, 825, 0),
    "f3_frozen": ("MapCNN", F3, 32, 375, 332_545),
    "f3_e2e": ("MapCNN", F3, 32, 412, 332_545),
    "f4_frozen": ("MapTransformer", F4, 32, 1500, 940_065),
    "f4_e2e": ("MapTransformer", F4, 32, 1125, 940_065),
}
VERIFIER = {
    "trainer.precision": "32-true",
    "matmul_precision": "high",
    "trainer.gradient_clip_val": 1.0,
    "model.class_path": "compret.tasks.SimilarityMapVerifier",
    "model.init_args.backbone": "thenlper/gte-small",
    "model.init_args.max_length": 128,
    "model.init_args.special_tokens": True,
    "model.init_args.loss.class_path": "compret.losses.Contrast",
    "model.init_args.loss.init_args.temperature": 0.1,
    "model.init_args.loss.init_args.candidates": "own",
    "model.init_args.loss.init_args.mask_duplicates": False,
    "model.init_args.optimizer.lr": 1.5e-5,
    "model.init_args.optimizer.weight_decay": 0.005,
    "model.init_args.optimizer.schedule": "linear",
    "model.init_args.optimizer.warmup": 0.1,
    "model.init_args.verifier_optimizer.lr": 1e-4,
    "model.init_args.verifier_optimizer.weight_decay": 0.01,
    "model.init_args.verifier_optimizer.schedule": "linear",
    "model.init_args.verifier_optimizer.warmup": 0.1,
    "data.class_path": "compret.data.Triplets",
    "data.init_args.files.0": NQ,
    "data.init_args.files.1": "structneg.csv",
    "data.init_args.random_negatives": True,
    "data.init_args.allow_duplicates": True,
    "data.init_args.test.0.class_path": "compret.data.NanoBEIR",
    "data.init_args.test.0.init_args.source": "lightonai/NanoBEIR-en",
    "data.init_args.test.0.init_args.datasets.0": "msmarco",
    "data.init_args.test.0.init_args.datasets.1": "nq",
}
F3_BLOCK = 32 * 32
"""Pairs that BatchNorm must see: a batch of anchors, each with its 32 candidates."""
SUITES = {
    "touche2020": {
        "model.class_path": "compret.tasks.DualEncoder",
        "model.init_args.max_length": 128,
        "data.class_path": "compret.data.NanoBEIR",
        "data.init_args.source": "BeIR",
        "data.init_args.datasets.0": "webis-touche2020",
        "data.init_args.distractors": 30_000,
    },
    "nearmiss": {
        "model.class_path": "compret.tasks.DualEncoder",
        "model.init_args.max_length": 128,
        "data.class_path": "compret.data.NearMissPairs",
        "data.init_args.files.0": "nearmiss.csv",
        "data.init_args.min_candidate_length": 21,  # of at most 20 characters are dropped
    },
}


def encoder(name: str) -> dict[str, object]:
    backbone, steps, lr, decay = ENCODERS[name]
    rates = {"model.init_args.optimizer.lr": lr, "model.init_args.optimizer.weight_decay": decay}
    return {**ENCODER, **rates, "model.init_args.backbone": backbone, "trainer.max_steps": steps}


def verifier(name: str) -> dict[str, object]:
    kind, options, batch, steps, _ = VERIFIERS[name]
    return {
        **VERIFIER,
        "trainer.max_steps": steps,
        "data.init_args.batch_size": batch,
        "model.init_args.frozen": name.endswith("frozen"),
        "model.init_args.verifier.class_path": f"compret.nn.verifiers.{kind}",
        **{f"model.init_args.verifier.init_args.{key}": value for key, value in options.items()},
    }


def flat(content: Any, path: str = "") -> dict[str, object]:
    """Dotted path -> value."""
    if not isinstance(content, dict | list) or not content:
        return {} if isinstance(content, list) else {path: content}
    items = content.items() if isinstance(content, dict) else enumerate(content)
    return {k: v for key, value in items for k, v in flat(value, f"{path}.{key}" if path else str(key)).items()}


def written(*names: str) -> dict[str, object]:
    """All that the files set, later ones over earlier ones; without the run's name."""
    files = [flat(yaml.safe_load((PAPER / f"{name}.yaml").read_text(encoding="utf-8"))) for name in names]
    return {key: value for file in files for key, value in file.items() if key != "name"}


def resolved(compret: Run, command: str, *names: str) -> dict[str, object]:
    configs = [argument for name in names for argument in ("--config", f"paper/{name}.yaml")]
    code, said = compret(command, *configs, "--print_config")
    assert code == 0, said
    return flat(yaml.safe_load(said))


RUNS = [
    *(pytest.param(("encoder", name), encoder(name), id=name) for name in ENCODERS),
    pytest.param(
        ("encoder", "minilm_l6", "structneg"),
        {**encoder("minilm_l6"), "data.init_args.files.1": "structneg.csv"},
        id="structneg",
    ),
    *(
        pytest.param(("verifier", *([name] if name != "none_e2e" else [])), verifier(name), id=name)
        for name in VERIFIERS
    ),
]


@pytest.mark.parametrize(("names", "expected"), RUNS)
def test_every_value_of_a_fit_is_the_paper_s(compret: Run, names: tuple[str, ...], expected: dict[str, object]) -> None:
    """What is typed here is what runs, and nothing that the files set is missing here."""
    found = resolved(compret, "fit", *names)
    assert {key: found.get(key) for key in expected} == expected
    assert written(*names).keys() - {"model.init_args.budget"} <= expected.keys()
    assert written(*names)["trainer.max_steps"] == expected["trainer.max_steps"]


@pytest.mark.parametrize("name", SUITES)
def test_every_value_of_a_test_is_the_paper_s(compret: Run, name: str) -> None:
    found = resolved(compret, "test", name)
    assert written(name) == SUITES[name]
    assert {key: found.get(key) for key in SUITES[name]} == SUITES[name]


def test_the_near_miss_test_reads_the_paper_s_layout_and_drops_short_sentences(
    compret: Run, tiny: Path, tmp_path: Path
) -> None:
    """Of three rows without a label one has 20 characters, one 21, and one a placeholder."""
    anchor, short, long = "the dog bit the man today", "x" * 20, "y" * 21
    rows = [(short, "spatial"), (long, "spatial"), (f"{long} PLACEHOLDER", "cannot_negation"), (anchor, "spatial")]
    lines = ["sentence1,sentence2,category", *(f"{anchor},{candidate},{category}" for candidate, category in rows)]
    (tmp_path / "my.csv").write_text("\n".join(lines), encoding="utf-8")
    code, said = compret(
        *("test", "--config", "paper/nearmiss.yaml", "--data.files", "[my.csv]", "--model.backbone", tiny),
        *("--data.drop_containing", '["PLACEHOLDER"]', "--model.max_length", 32, "--trainer.accelerator", "cpu"),
        *("--trainer.enable_progress_bar", "false"),
    )
    assert code == 0, said
    stored = json.loads((tmp_path / "logs" / "paper_nearmiss" / "version_0" / "results.json").read_text())
    assert stored["meta"]["counts"]["my"]["pairs"] == 2
    assert stored["nearmiss"]["my"]["categories"].keys() == {"spatial"}
    assert (
        stored["nearmiss"]["my"]["negative_mean"] == stored["nearmiss"]["my"]["categories"]["spatial"]["negative_mean"]
    )
    assert stored["nearmiss"]["my"]["auroc"] is None


def test_each_file_stands_in_a_table() -> None:
    tables = {"encoder", "structneg", "verifier", *ENCODERS, *VERIFIERS, *SUITES} - {"none_e2e"}
    assert {path.stem for path in PAPER.glob("*.yaml")} == tables


def built(compret: Run, name: str, **changed: object) -> Verifier:
    code, said = compret("fit", "--config", "paper/verifier.yaml", "--config", f"paper/{name}.yaml", "--print_config")
    assert code == 0, said
    described = yaml.safe_load(said)["model"]["init_args"]["verifier"]
    module, _, kind = described["class_path"].rpartition(".")
    made: Verifier = getattr(import_module(module), kind)(**{**described.get("init_args", {}), **changed})
    return made


def parameters(verifier: Verifier) -> int:
    return sum(parameter.numel() for parameter in verifier.parameters())


@pytest.mark.parametrize("name", [name for name in VERIFIERS if name != "none_e2e"])
def test_a_verifier_has_the_paper_s_parameters(compret: Run, name: str) -> None:
    assert parameters(built(compret, name)) == VERIFIERS[name][4]


def test_f4_of_a_base_encoder_has_the_paper_s_parameters(compret: Run) -> None:
    assert parameters(built(compret, "f4_e2e", width=768)) == 3_354_657


@pytest.mark.parametrize("name", ["f3_frozen", "f3_e2e"])
def test_f3_s_batch_norm_sees_each_anchor_with_its_32_candidates(compret: Run, name: str) -> None:
    budget = written(name)["model.init_args.budget"]
    assert budget == F3_BLOCK * built(compret, name).floats(128, 128)


SEEDS_LINES = [
    line.removeprefix("#   ")
    for name in ("encoder", "verifier")
    for line in (PAPER / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    if line.startswith(("#   for seed", "#   sbatch"))
]


def of_paper(line: str) -> dict[str, object]:
    """The table of a command's run."""
    name = re.findall(r"paper/(\w+)\.yaml", line)[-1]
    return encoder(name) if name in ENCODERS else verifier(name)


@pytest.mark.parametrize("line", [line for line in SEEDS_LINES if line.startswith("for")])
def test_the_loop_runs_three_seeds_under_their_own_names(compret: Run, line: str) -> None:
    stub = 'compret() { printf "%s\\n" "$*"; }; '
    done = subprocess.run(["bash", "-c", stub + line], capture_output=True, text=True, check=True)
    calls = [shlex.split(call) for call in done.stdout.splitlines()]
    assert [call[call.index("--seed_everything") + 1] for call in calls] == SEEDS
    assert len({call[call.index("--name") + 1] for call in calls}) == 3
    code, said = compret(*calls[0], "--print_config")
    assert code == 0, said
    found, expected = flat(yaml.safe_load(said)), of_paper(line)
    assert {key: found.get(key) for key in expected} == expected


@pytest.mark.parametrize("line", [line for line in SEEDS_LINES if line.startswith("sbatch")])
def test_the_array_runs_the_paper_s_precision_on_one_gpu_each(compret: Run, tmp_path: Path, line: str) -> None:
    """With a made-up srun that writes down what it is given."""
    script, *arguments = shlex.split(line)[1:]
    path = PAPER.parents[1] / script
    assert re.search(rf"^#SBATCH --array={','.join(SEEDS)}$", path.read_text(), re.MULTILINE)
    (tmp_path / "srun").write_text('#!/bin/sh\nprintf "%s\\n" "$*"\n')
    (tmp_path / "srun").chmod(0o755)
    slurm = {"ARRAY_JOB_ID": "70", "ARRAY_TASK_ID": "43", "JOB_NUM_NODES": "1", "NTASKS_PER_NODE": "1"}
    environment = {**os.environ, **{f"SLURM_{k}": v for k, v in slurm.items()}, "RUNS": "/shared"}
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    done = subprocess.run(["bash", path, *arguments], capture_output=True, text=True, check=True, env=environment)
    code, said = compret(*shlex.split(done.stdout)[1:], "--print_config")
    assert code == 0, said
    found, expected = flat(yaml.safe_load(said)), of_paper(line)
    assert {key: found.get(key) for key in expected} == expected
    assert found["seed_everything"] == 43
