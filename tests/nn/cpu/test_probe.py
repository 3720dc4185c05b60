"""Kernels are chosen by what was measured, once on a machine; all processes choose alike."""

from __future__ import annotations

import json
import logging
import multiprocessing
from pathlib import Path

import pytest
import torch
from torch import nn

from compret.nn import TextEncoder
from compret.nn.cpu import Kernels, kernels, probe
from compret.nn.cpu.dropout import FastDropout
from compret.nn.cpu.linear import OneDNNLinear
from compret.types import UserError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, in which the kernels' file will lie."""
    monkeypatch.setenv("COMPRET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "cpu_kernels"


def fake(monkeypatch: pytest.MonkeyPatch, **ratios: float) -> None:
    monkeypatch.setattr(probe, "measure", lambda: ratios)


def test_a_measurement_names_each_kernel_and_leaves_threads_and_random_numbers_as_they_were() -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    ratios = probe.measure()
    assert {"dropout"} <= set(ratios) <= {"dropout", "linear", "linear_gelu", *probe_gradients()}
    assert all(ratio > 0 for ratio in ratios.values())
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def probe_gradients() -> set[str]:
    return {"linear_input_gradient", "linear_weight_gradient"}


def test_what_is_clearly_faster_is_used_and_all_is_recorded() -> None:
    found = Kernels({"linear": 2.0, "dropout": 1.0, "linear_gelu": 0.5})
    assert found.faster == {"linear"}
    assert found.to_dict() == {"used": ["linear"], "ratios": {"linear": 2.0, "dropout": 1.0, "linear_gelu": 0.5}}


def test_it_is_measured_once_on_a_machine(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fake(monkeypatch, linear=2.0, dropout=0.9)
    with caplog.at_level(logging.INFO):
        assert kernels("auto").ratios == {"linear": 2.0, "dropout": 0.9}
        kernels("auto")
    (file,) = folder.iterdir()
    assert [record.message for record in caplog.records] == [
        f"on a CPU, kernels instead of torch's: linear (measured: {file})"
    ]
    assert torch.__version__ in json.loads(file.read_text())["machine"]
    fake(monkeypatch, linear=0.1)
    probe._of_this_machine.cache_clear()  # as in another process
    assert kernels("auto").ratios == {"linear": 2.0, "dropout": 0.9}


def choice(ratio: float) -> float:
    probe.measure = lambda: {"linear": ratio}
    return kernels("auto").ratios["linear"]


@pytest.mark.slow
def test_processes_that_measure_at_once_choose_alike() -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert len(set(pool.map(choice, [1.0, 2.0, 3.0, 4.0], chunksize=1))) == 1


def test_a_file_that_another_process_wrote_first_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def late() -> dict[str, float]:
        probe._keep(path, {"ratios": {"linear": 3.0}})
        return {"linear": 1.0}

    fake(monkeypatch, linear=1.0)
    kernels("auto")
    (path,) = folder.iterdir()
    path.unlink()
    monkeypatch.setattr(probe, "measure", late)
    probe._of_this_machine.cache_clear()
    assert kernels("auto").ratios == {"linear": 3.0}
    assert [path] == list(folder.iterdir())


@pytest.mark.parametrize("content", ["{", "[]", '{"ratios": {"linear": "fast"}}'])
def test_a_broken_file_is_made_again(folder: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    fake(monkeypatch, linear=2.0)
    kernels("auto")
    (path,) = folder.iterdir()
    whole = path.read_text()
    path.write_text(content)
    probe._of_this_machine.cache_clear()
    assert kernels("auto").ratios == {"linear": 2.0}
    assert path.read_text() == whole


def test_without_a_folder_to_write_to_it_is_measured_and_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COMPRET_CACHE", str(tmp_path / "file"))
    fake(monkeypatch, linear=2.0)
    assert kernels("auto").ratios == {"linear": 2.0}
    assert "cannot be written" in caplog.text


def test_off_is_torch_alone_and_another_word_is_refused(tiny: Path) -> None:
    encoder = TextEncoder(str(tiny), cpu_kernels="off")
    assert {type(m) for m in encoder.modules() if isinstance(m, nn.Linear | nn.Dropout)} == {nn.Linear, nn.Dropout}
    assert encoder.cpu_kernels.to_dict() == {"used": [], "ratios": {}}
    with pytest.raises(UserError, match="cpu_kernels fast: auto or off"):
        TextEncoder(str(tiny), cpu_kernels="fast")  # type: ignore[arg-type]


def test_an_encoder_uses_what_is_faster(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, linear=2.0, dropout=2.0)
    fast, plain = TextEncoder(str(tiny)), TextEncoder(str(tiny), cpu_kernels="off")
    kinds = {type(m) for m in fast.modules() if isinstance(m, nn.Linear | nn.Dropout)}
    assert kinds == {OneDNNLinear, FastDropout}
    batch = fast.tokenizer.pad(fast.tokenizer(["the dog bit the man", "a cat"], "query").ids)
    torch.testing.assert_close(fast.eval()(batch).pooled_BD, plain.eval()(batch).pooled_BD)
