"""Any option with any value, typed or in a config: the run goes well or its mistake is one line, and nothing is run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from compret.commands import COMMANDS, TRAINER
from compret.recipes import recipes
from compret.signatures import Signature, signature
from tests.conftest import write_lines, write_pairs
from tests.fuzz.cases import ODD, cases, check_run, mutated, one_of

Run = Callable[..., tuple[int, str]]
MODELS, DATA = (
    ("DualEncoder", "SimilarityMapVerifier", "CrossEncoder"),
    ("Triplets", "NanoBEIR", "NearMissPairs", "NevIR"),
)
ODD_WORDS = [
    *(
        "",
        " ",
        "null",
        "None",
        "true",
        "no",
        "0",
        "-1",
        "1e400",
        "nan",
        ".inf",
        "-.inf",
        "1_000",
        "0x10",
        "007",
        "[",
        "]",
        "{}",
    ),
    *("[]", "[[]]", "[a", "{a: b}", "a: b", "- a", "!!python/object/apply:os.system ['touch canary']", "&a [*a]", "*a"),
    *(
        "os.system",
        "subprocess.Popen",
        "torch.load",
        "builtins.open",
        "compret.cli.run",
        "compret",
        ".",
        "..",
        "/",
        "~x",
    ),
    *(
        "x" * 300,
        "x" * 5000,
        "a/b",
        "a\nb",
        "日本",
        "\ud800",
        "a\0b",
        "%s",
        "$HOME",
        "`touch canary`",
        "-x",
        "--",
        "---",
    ),
    *(
        "1,2",
        "[1,2]",
        "1.5",
        "cls",
        "mean",
        "last",
        "best",
        "hpc",
        "cpu",
        "gpu",
        "ddp",
        "fsdp",
        "16-mixed",
        "bf16",
        "auto",
    ),
    *(
        "pydoc:",
        "pydoc:x",
        "reworded:",
        "reworded:rows.jsonl",
        "perturb:rows.jsonl",
        "://",
        "hf://x/y",
        "http://x",
        "a/b@c:d",
    ),
    '{"class_path": "subprocess.Popen", "init_args": {"args": ["touch", "canary"]}}',
]
UNBOUNDED = ("max_time", "num_nodes", "devices", "profiler", "barebones", "detect_anomaly", "workers", "passes")
"""Options whose odd values cost minutes, or are another program's: each has tests of its own."""


def values(rng: np.random.Generator) -> str:
    if rng.random() < 0.6:
        return one_of(ODD_WORDS, rng)
    value = one_of(ODD, rng)
    return value if isinstance(value, str) else json.dumps(value)


def named(owner: Signature, prefix: str) -> Iterator[str]:
    """The options of a class and of the one class that each takes."""
    for option in owner.options:
        if option.name not in UNBOUNDED:
            yield f"{prefix}.{option.name}"
            below = owner.class_of(option)
            if below is not None:
                yield from (f"{prefix}.{option.name}.{inner.name}" for inner in below.options)


def options_of(command: str) -> list[str]:
    """Every option that a command has for the shipped models and data."""
    owners = [
        (TRAINER, "trainer"),
        *((name, "model") for name in MODELS),
        *((name, "data") for name in (*DATA, "Texts")),
    ]
    found = [name for path, prefix in owners if (owner := signature(path)) for name in named(owner, prefix)]
    return sorted({*found, *COMMANDS[command].options, "model", "data", "trainer", "config", "c", "no_such_option"})


def base(command: str, tiny: Path, rng: np.random.Generator) -> list[str]:
    """A small run that goes well."""
    quiet = ["--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false", "--model.backbone", str(tiny)]
    data = {
        "fit": ["--data.files", "[rows.jsonl]", "--data.batch_size", "4", "--trainer.max_steps", "1"],
        "predict": ["--data.file", "texts.txt"],
    }.get(command) or one_of(
        [
            ["--data", "NearMissPairs", "--data.files", "[pairs.jsonl]", "--data.validation_files", "[]"],
            ["--data", "NanoBEIR", "--data.source", "beir"],
            ["--data", "NevIR", "--data.source", "nevir.csv"],
        ],
        rng,
    )
    model = one_of([[], ["--model", "SimilarityMapVerifier"]], rng) if command != "predict" else []
    return [command, *model, *quiet, *data]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with small files of each kind."""
    monkeypatch.chdir(tmp_path)
    write_lines(tmp_path / "rows.jsonl", [{"anchor": f"a dog {i}", "positive": f"the dog {i}"} for i in range(12)])
    write_pairs(tmp_path / "pairs.jsonl", ["the dog bit the man", "a cat saw a bird", "the old house"])
    (tmp_path / "texts.txt").write_text("the dog\na cat\n")
    (tmp_path / "nevir.csv").write_text("q1,q2,doc1,doc2\nthe dog,no dog,a dog,never a dog\n")
    corpus = [{"_id": f"d{i}", "text": f"the dog {i}"} for i in range(4)]
    write_lines(tmp_path / "beir" / "zoo" / "corpus.jsonl", corpus)
    write_lines(tmp_path / "beir" / "zoo" / "queries.jsonl", [{"_id": "q", "text": "dog 1"}])
    (tmp_path / "beir" / "zoo" / "qrels").mkdir()
    (tmp_path / "beir" / "zoo" / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\td1\t1\n")
    return tmp_path


WARNINGS = pytest.mark.filterwarnings("ignore")
"""What libraries say of odd values is no error of the run."""


def check(here: Path, command: str, code: int, said: str) -> None:
    check_run(code, said)
    assert not (here / "canary").exists()
    if code == 0 and command == "test" and "print_config" not in said:
        for file in here.rglob("results.json"):
            json.loads(file.read_text(), parse_constant=lambda name: pytest.fail(f"{name} in results.json"))


@WARNINGS
@pytest.mark.parametrize("seed", cases(50))
def test_an_option_takes_a_value_or_is_one_line(here: Path, compret: Run, tiny: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    command = one_of(["fit", "test", "predict", "validate"], rng)
    words = base(command, tiny, rng)
    for _ in range(int(rng.integers(1, 3))):
        option, value = one_of(options_of(command), rng), values(rng)
        words += [f"--{option}={value}"] if rng.random() < 0.5 else [f"--{option}", value]
    check(here, command, *compret(*words))


@WARNINGS
@pytest.mark.parametrize("seed", cases(50))
def test_options_of_a_config_are_taken_or_are_one_line(here: Path, compret: Run, tiny: Path, seed: int) -> None:
    """A tree of options with one value of another kind, or bytes that are no YAML."""
    rng = np.random.default_rng(seed)
    command = one_of(["fit", "test", "predict"], rng)
    tree: dict[str, Any] = {"name": "mine"}
    for option in [one_of(options_of(command), rng) for _ in range(3)]:
        value = one_of([*ODD, *ODD_WORDS], rng)
        path, part = [step.replace("\ud800", "") for step in option.split(".")], tree
        for step in path[:-1]:
            below = part.get(step)
            part[step] = below if isinstance(below, dict) else {}
            part = part[step]
            if step in ("model", "data"):
                part = part.setdefault("init_args", {}) if isinstance(part.get("init_args", {}), dict) else part
        part[path[-1]] = value
    content = mutated(tree, rng) if rng.random() < 0.5 else tree
    text = yaml.safe_dump(content, allow_unicode=True).encode("utf-8", "surrogatepass")
    (here / "mine.yaml").write_bytes(text[: int(rng.integers(len(text)))] if rng.random() < 0.2 else text)
    check(here, command, *compret(*base(command, tiny, rng), "--config", "mine.yaml"))


@WARNINGS
@pytest.mark.parametrize("seed", cases(30))
def test_small_commands_take_any_words(here: Path, compret: Run, seed: int) -> None:
    rng = np.random.default_rng(seed)
    command = one_of(["ls", "cp", "init", "doctor", "perturb", "report"], rng)
    known = [*sorted(recipes()), "rows.jsonl", "pairs.jsonl", "beir", "texts.txt"]
    flags = [
        "--force",
        "--output",
        "--out",
        "--help",
        "-h",
        "--seconds=0",
        "--seconds=-1",
        "--column",
        "--limit",
        "--seed",
    ]
    words = [one_of([*known, *ODD_WORDS, *flags], rng) for _ in range(int(rng.integers(4)))]
    first = {"init": ["encoder_structneg.yaml"], "doctor": ["--seconds", "0"], "perturb": ["rows.jsonl"]}
    check(here, command, *compret(command, *first.get(command, []), *words))
