"""`compret merge`: every weight lies between two, the ends are the models themselves, and unlike models are refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def ends(tiny: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The tiny model, and the same with other weights."""
    other = tmp_path / "other"
    shutil.copytree(tiny, other)
    generator = torch.Generator().manual_seed(1)
    weights = load_file(other / "model.safetensors")
    moved = {k: v + 0.1 * torch.randn(v.shape, generator=generator) for k, v in weights.items()}
    save_file(moved, other / "model.safetensors", {"format": "pt"})
    return tiny, other


@pytest.mark.parametrize("alpha", [0, 0.3, 0.7, 1])
def test_weights_lie_between(compret: Run, ends: tuple[Path, Path], tmp_path: Path, alpha: float) -> None:
    code, said = compret("merge", *ends, "--alpha", alpha, "--out", "merged")
    assert code == 0, said
    a, b, merged = (load_file(folder / "model.safetensors") for folder in (*ends, tmp_path / "merged"))
    assert merged.keys() == a.keys()
    for name, tensor in merged.items():
        if "pooler" in name:  # which is no part of the encoder, and the nearer one's
            assert torch.equal(tensor, (a, b)[round(alpha)][name])
            continue
        between = (1 - alpha) * a[name].double().numpy() + alpha * b[name].double().numpy()
        np.testing.assert_allclose(tensor.numpy(), between, rtol=0, atol=1e-6, err_msg=name)
        if alpha in (0, 1):
            assert torch.equal(tensor, (a, b)[int(alpha)][name])


def test_it_scores_as_sentence_transformers_reads_it(
    compret: Run, ends: tuple[Path, Path], pairs: Path, tmp_path: Path
) -> None:
    from sentence_transformers import SentenceTransformer

    from compret.nn.encoder import TextEncoder

    assert compret("merge", *ends, "--alpha", 0.5, "--out", "merged")[0] == 0
    texts = ["the dog bit the man", "no cat saw a bird"]
    expected = SentenceTransformer(str(tmp_path / "merged"), device="cpu").encode(texts)
    encoder = TextEncoder(str(tmp_path / "merged")).eval()
    tokens = encoder.tokenizer.fast(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = encoder.backbone(tokens["input_ids"], tokens["attention_mask"]).last_hidden_state
    mask = tokens["attention_mask"][..., None]
    np.testing.assert_allclose(((states * mask).sum(1) / mask.sum(1)).numpy(), expected, atol=1e-5)
    test = ["test", "--config", "nearmiss.yaml", "--data.files", f"[{pairs}]", "--trainer.accelerator", "cpu"]
    assert compret(*test, "--ckpt_path", "merged")[0] == 0


def test_a_verifier_is_interpolated_too_and_loses_its_threshold(
    compret: Run, tiny: Path, triplets: Path, pairs: Path, tmp_path: Path
) -> None:
    options = f"""fit --config verifier_cnn_e2e.yaml --model.backbone {tiny} --model.max_length 32
        --data.files [{triplets}] --data.weights null --data.batch_size 4 --data.workers 0
        --data.validation.init_args.files [{pairs}] --trainer.max_steps 1 --trainer.val_check_interval 1
        --trainer.accelerator cpu --trainer.enable_progress_bar false"""
    for name, seed in (("one", 1), ("two", 2)):
        code, said = compret(*options.split(), "--name", name, "--seed_everything", seed)
        assert code == 0, said
    checkpoints = [tmp_path / "checkpoints" / name / "version_0" / "last.ckpt" for name in ("one", "two")]
    code, said = compret("merge", *checkpoints, "--alpha", 0.25, "--out", "merged")
    assert code == 0, said
    assert "without a threshold" in said
    folders = [*(path.parent / "export" for path in checkpoints), tmp_path / "merged"]
    a, b, merged = (load_file(folder / "verifier.safetensors") for folder in folders)
    floats = [name for name, tensor in a.items() if tensor.is_floating_point()]
    assert any(not torch.equal(a[name], b[name]) for name in floats)
    for name in floats:
        torch.testing.assert_close(merged[name], 0.75 * a[name] + 0.25 * b[name], rtol=0, atol=1e-6)
    assert '"calibration": null' in (tmp_path / "merged" / "verifier.json").read_text()
    data = f"--data NearMissPairs --data.files [{pairs}] --trainer.accelerator cpu"
    assert compret("test", *data.split(), "--ckpt_path", "merged")[0] == 0


def test_unlike_models_are_refused(
    compret: Run, ends: tuple[Path, Path], new_backbone: Callable[..., Path], tmp_path: Path
) -> None:
    other = new_backbone(tmp_path / "cls", "cls", {"query": "ask: ", "document": ""})
    code, said = compret("merge", ends[0], other, "--alpha", 0.5, "--out", "merged")
    assert code == 2
    assert "not of one architecture: pooling mean and cls, prompts" in said
    assert not (tmp_path / "merged").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["a", "b", "--alpha", "1.5", "--out", "merged"], "--alpha: 1.5: a number from 0 to 1"),
        (["a", "b", "--alpha", "nan", "--out", "merged"], "--alpha: nan: a number from 0 to 1"),
        (["a", "b", "--alpha", "0.5"], "the following arguments are required: --out"),
        (["a", "b", "--alpha", "0.5", "--out", "taken"], "taken: there is something already"),
        (["./none", "b", "--alpha", "0.5", "--out", "merged"], "./none"),
        (["best.ckpt", "b", "--alpha", "0.5", "--out", "merged"], "best.ckpt: give an export, or a last.ckpt"),
    ],
)
def test_a_mistake_is_one_line(compret: Run, tmp_path: Path, words: list[str], told: str) -> None:
    for name in ("taken", "best.ckpt"):
        (tmp_path / name).touch()
    code, said = compret("merge", *words)
    assert code == 2
    assert told in said
    assert not (tmp_path / "merged").exists()
