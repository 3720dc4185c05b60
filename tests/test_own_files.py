"""A fit of one's own files: what of a config gives way to them, what stays; no embedded data is made for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from compret.config_files import GivenFirst
from compret.own_files import is_embedded, own_split, share_held_out

Run = Callable[..., tuple[int, str]]
CONFIG = "encoder_structneg.yaml"


def added(*words: str) -> dict[str, object]:
    found = own_split(GivenFirst(["fit", *words]))
    return {
        name.removeprefix("--data."): json.loads(value) for name, value in zip(found[::2], found[1::2], strict=True)
    }


def test_weights_and_embedded_validation_give_way(triplets: Path) -> None:
    found = added("--config", CONFIG, "--data.files", f"[{triplets}]")
    assert found == {"weights": None, "holdout": 0.1, "validation": [{"class_path": "compret.data.HeldOut"}]}


@pytest.mark.parametrize(
    ("typed", "stays"),
    [
        (("--data.weights", "[1]"), "weights"),
        (("--data.validation", "null"), "validation"),
        (("--data.validation.init_args.files", "[x.jsonl]"), "validation"),
    ],
)
def test_what_is_typed_too_stays(triplets: Path, typed: tuple[str, str], stays: str) -> None:
    assert stays not in added("--config", CONFIG, "--data.files", f"[{triplets}]", *typed)


def test_a_share_that_is_given_counts(triplets: Path) -> None:
    assert added("--config", CONFIG, "--data.files", f"[{triplets}]", "--data.holdout", "0.3")["holdout"] == 0.3


def test_validation_on_files_of_the_users_stays(triplets: Path, pairs: Path, tmp_path: Path) -> None:
    suite = {"class_path": "compret.data.NearMissPairs", "init_args": {"files": [str(pairs)], "validation_files": []}}
    (tmp_path / "mine.yaml").write_text(yaml.dump({"data": {"init_args": {"validation": [suite], "weights": [1, 2]}}}))
    assert added("-c", str(tmp_path / "mine.yaml"), "--data.files", f"[{triplets}]") == {"weights": None}


@pytest.mark.parametrize("words", [("--config", CONFIG), ("--config", CONFIG, "--data.files", "[pydoc:retrieval]")])
def test_a_configs_own_files_keep_its_validation(words: tuple[str, ...]) -> None:
    assert "validation" not in added(*words)


def test_drawn_negatives_are_no_near_misses(triplets: Path) -> None:
    found = added("--config", CONFIG, "--data.files", f"[{triplets}]", "--data.random_negatives", "true")
    assert found["validation"] == []


def test_few_rows_give_a_tenth_and_many_a_hundredth(tmp_path: Path) -> None:
    for rows, share in ((100, 0.1), (4000, 0.05), (100_000, 0.01)):
        (tmp_path / "rows.csv").write_text("x\n" * rows)
        assert share_held_out([str(tmp_path / "rows.csv")]) == share


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("pydoc:retrieval", True),
        ("reworded:pydoc:structneg", True),
        ("mine.jsonl", False),
        ({"class_path": "compret.data.NanoBEIR", "init_args": {"source": "pydoc"}}, True),
        ({"class_path": "compret.data.NanoBEIR"}, False),
        ({"class_path": "compret.data.NearMissPairs"}, True),
        ({"class_path": "compret.data.NearMissPairs", "init_args": {"files": ["a.csv"]}}, False),
    ],
)
def test_what_is_embedded(source: object, expected: bool) -> None:
    assert is_embedded(source) is expected


@pytest.fixture
def no_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    def made() -> None:
        raise AssertionError("the embedded data was asked for")

    monkeypatch.setattr("compret.data.pydoc.pydoc", made)


def test_an_encoder_is_fitted_without_the_embedded_data(
    compret: Run, no_embedded: None, tiny: Path, triplets: Path, tmp_path: Path
) -> None:
    code, said = compret(*fit(CONFIG, tiny, triplets))
    assert code == 0, said
    assert said.count("--data.files in place of the config's: weights by rows, validation on 10.0% of them") == 1
    assert "triplets_held_out: AUROC" in said
    assert (tmp_path / "checkpoints" / "encoder_structneg" / "version_0" / "best.ckpt").exists()


def test_a_verifier_is_calibrated_on_what_is_held_out(
    compret: Run, no_embedded: None, tiny: Path, triplets: Path, tmp_path: Path
) -> None:
    code, said = compret(*fit("verifier_cnn_frozen.yaml", tiny, triplets))
    assert code == 0, said
    assert "threshold " in said
    stored = torch.load(next(tmp_path.rglob("last.ckpt")), weights_only=True)
    assert stored["compret"]["calibration"]["threshold"] is not None


def test_rows_without_negatives_are_fitted_too(compret: Run, no_embedded: None, tiny: Path, tmp_path: Path) -> None:
    rows = [{"anchor": f"the dog saw {i}", "positive": f"a dog saw {i}"} for i in range(40)]
    (tmp_path / "plain.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, said = compret(*fit(CONFIG, tiny, tmp_path / "plain.jsonl"))
    assert code == 0, said
    assert "val_loss" in said
    assert not list(tmp_path.rglob("best.ckpt"))


def fit(config: str, tiny: Path, rows: Path) -> list[object]:
    model = ["--model.backbone", tiny, "--model.max_length", 32, "--trainer.accelerator", "cpu"]
    data = ["--data.files", f"[{rows}]", "--data.batch_size", 8, "--data.workers", 0]
    return ["fit", "--config", config, *model, *data, "--trainer.max_steps", 2, "--trainer.val_check_interval", 1]
