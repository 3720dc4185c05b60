"""Mistakes that are told before torch is imported, and command lines that are let pass."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from compret.precheck import precheck
from compret.types import UserError

MISTAKES = {
    "fit --config none.yaml": "--config none.yaml: no such file here",
    "fit --config broken.yaml": "--config broken.yaml: not valid YAML",
    "fit --config misspelt.yaml": "--config misspelt.yaml: --model.optimizer.lrr: no such option of AdamW; did you "
    "mean --model.optimizer.lr?",
    "fit --modl.x 3": "--modl.x: no such option; compret fit --help lists them",
    "fit --nmae x": "--nmae: no such option; did you mean --name?",
    "fit --trainer.max_stepz 3": "--trainer.max_stepz: no such option of Trainer; did you mean --trainer.max_steps?",
    "fit --model.optimizer.lrr=3": "did you mean --model.optimizer.lr?",
    "fit --model.loss Contrast --model.loss.temprature 1": "--model.loss.temprature: no such option of Contrast; "
    "did you mean --model.loss.temperature?",
    "fit --model SimilarityMapVerifier --model.verifier MapCNN --model.verifier.hiden 1": "no such option of MapCNN; "
    "did you mean --model.verifier.hidden?",
    "test --data NevIR --data.files [a.jsonl]": "--data.files: no such option of NevIR; it has source, split",
    "fit --data.files [none.jsonl]": "none.jsonl: no such file",
    "fit --data.files [reworded:none.csv]": "none.csv: no such file",
    "fit --data.files [~nobody_of_that_name/a.csv]": "~nobody_of_that_name/a.csv: cannot be opened (Could not",
    "predict --data.file ~nobody_of_that_name/a.txt": "~nobody_of_that_name/a.txt: cannot be opened (Could not",
    "test --config nearmiss.yaml --data.validation_files [none.tsv]": "none.tsv: no such file",
    "predict --data.file texts.txt": "texts.txt: no such file",
    "test --ckpt_path none.ckpt": "--ckpt_path none.ckpt: no such file",
    "test --ckpt_path last --name mine": "--ckpt_path last: there is no checkpoints/mine/VERSION/last.ckpt",
    "test --name ../x": "--name '../x': a folder below logs and checkpoints",
    "fit --trainer.logger WandbLogger": "--trainer.logger WandbLogger: needs a package that is not installed: "
    "pip install wandb",
    "fit --config mlflow.yaml": "--trainer.logger MLFlowLogger: needs a package that is not installed: "
    "pip install mlflow",
    "fit --config": "--config: expected one argument",
    "test --ckpt_path=": "--ckpt_path: an empty name; give a file, or leave it out",
    "fit --config nested.yaml": "--config nested.yaml: names a config itself; give each with a --config of its own",
    "fit --config list.yaml": "--config list.yaml: --trainer [[[]]]: expected a class or its options, not a list",
    "fit --model.optimizer []": "--model.optimizer []: expected the options of AdamW, not a list",
    "fit --model.lora=[[]]": "--model.lora [[]]: expected the options of LoRA, not a list",
    f"predict --data.file {'x' * 5000}": "xxx… (5000 characters): cannot be opened (File name too long)",
    f"test --ckpt_path {'x' * 5000}": "xxx… (5000 characters): cannot be opened (File name too long)",
}
FINE = (
    "fit",
    "fit --data.files [pydoc:retrieval,owner/name:train,there.jsonl]",
    "fit --model mine.Model --model.anything 3",
    "fit --trainer.callbacks+=EarlyStopping --trainer.callbacks.patience 3",
    "fit --trainer.devices -1 --model.loss mine.Loss --model.loss.anything 3",
    "fit --model SimilarityMapVerifier --model.loss compret.losses.Contrast --model.loss.candidates own",
    "test --ckpt_path there.jsonl --model.recall_weight 3",
    "fit --data.files [none.jsonl] --print_config",
    "test --data.init_args.source there --model.class_path compret.tasks.DualEncoder",
    "fit --config other_class.yaml --model SimilarityMapVerifier --model.frozen true",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "broken.yaml").write_text("model: [")
    (tmp_path / "misspelt.yaml").write_text("model: {init_args: {optimizer: {lrr: 1}}}")
    (tmp_path / "mlflow.yaml").write_text("trainer: {logger: [{class_path: lightning.pytorch.loggers.MLFlowLogger}]}")
    (tmp_path / "other_class.yaml").write_text(
        "model: {class_path: compret.tasks.DualEncoder, init_args: {loss: {temperature: 1}}}"
    )
    (tmp_path / "nested.yaml").write_text("config: 0.5")
    (tmp_path / "list.yaml").write_text("trainer: [[[]]]")
    (tmp_path / "there.jsonl").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_told(folder: Path, line: str) -> None:
    with pytest.raises(UserError) as told:
        precheck(line.split())
    assert MISTAKES[line] in str(told.value)


@pytest.mark.parametrize("line", FINE)
def test_what_cannot_be_judged_passes(folder: Path, line: str) -> None:
    precheck(line.split())


def test_a_logger_whose_package_is_there_passes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: found("yaml" if name == "wandb" else name))
    precheck(["predict", "--trainer.logger", "WandbLogger", "--model", "mine.Model", "--data", "mine.Data"])


@pytest.mark.parametrize("line", ["fit --data.filez x", "fit --data.files [none.jsonl]", "test --ckpt_path none.ckpt"])
def test_it_is_told_without_torch(tmp_path: Path, line: str) -> None:
    code = f"import sys; from compret.__main__ import main; code = main({line.split()!r}); \
        sys.exit(code != 2 or 'torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", " ".join(code.split())], check=True, cwd=tmp_path, stderr=subprocess.DEVNULL)
