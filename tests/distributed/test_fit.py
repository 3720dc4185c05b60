"""`compret fit` on two ranks ends with the weights of one process, also after one rank was killed (laws 2 and 7)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.processes import (
    COMPRET,
    ON_CPU,
    children,
    finish,
    is_rank,
    is_running,
    run_here,
    start,
    step_of,
    wait_until,
)

STEPS = 20
OVERLAY = (
    *("--config", "cluster/ddp.yaml", "--trainer.devices", "2", "--trainer.precision", "32-true"),
    *("--matmul_precision", "highest"),
)
"""The overlay of one machine, but for what wants a GPU."""
ENDS = (sys.executable, str(Path(__file__).with_name("ends.py")))


def command(
    folder: Path, tiny: Path, file: Path, ranks: int, *more: object, program: tuple[str, ...] = COMPRET
) -> list[object]:
    """Twenty steps of sixteen rows a step in all, without dropout, whose random numbers are each rank's own."""
    return [
        *(*program, "fit", "--model.backbone", tiny, "--model.dropout", 0, "--model.optimizer.lr", 1e-3, *ON_CPU),
        *("--data.files", f"[{file}]", "--data.batch_size", 16 // ranks, "--data.holdout", 0.1),
        *("--trainer.max_steps", STEPS, "--trainer.default_root_dir", folder, "--checkpoint_every", 2),
        *(OVERLAY if ranks > 1 else ()),
        *more,
    ]


def fit(*options: Any, **program: Any) -> subprocess.Popen[str]:
    return start(command(*options, **program))


def weights(folder: Path, name: str = "fit") -> dict[str, torch.Tensor]:
    return load_file(folder / "checkpoints" / name / "version_0" / "export" / "model.safetensors")


def assert_equal(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], tolerance: float) -> None:
    for name, tensor in expected.items():
        if name.endswith("key.bias"):
            continue  # attention does not see it: its gradient is mere rounding, of which AdamW makes whole steps
        torch.testing.assert_close(found[name], tensor, rtol=0, atol=tolerance, msg=name)


@pytest.fixture(scope="module")
def one_process(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> tuple[Path, Path]:
    """A file of 59 rows, and the folder of an unbroken fit on it in one process."""
    folder = tmp_path_factory.mktemp("fit")
    animals = ["dog", "cat", "bird", "man", "woman", "house", "tree", "river"]
    texts = [f"the {'very ' * (i % 5)}{a} bit the {b}" for i, a in enumerate(animals) for b in animals if a != b]
    texts += [f"no {text}" for text in texts[:3]]
    rows = [{"anchor": t, "positive": f"{t} in the river", "negative": t.replace("bit", "saw")} for t in texts]
    file = folder / "triplets.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run_here(command(folder / "one", tiny, file, 1))
    return file, folder / "one"


@pytest.mark.slow
def test_two_ranks_end_with_the_weights_of_one(one_process: tuple[Path, Path], tiny: Path, tmp_path: Path) -> None:
    """And no thread between them outlives it: one that lets go of a tensor while Python ends aborts it at times."""
    file, one = one_process
    finish(fit(tmp_path, tiny, file, 2, program=(*ENDS, str(tmp_path))))
    assert [path.name for room in ("logs", "checkpoints") for path in (tmp_path / room / "fit").iterdir()] == [
        "version_0",
        "version_0",
    ]
    before = load_file(tiny / "model.safetensors")
    assert max((weights(one)[k] - before[k]).abs().max() for k in before) > 1e-3
    assert_equal(weights(tmp_path), weights(one), 1e-5)
    for rank in (0, 1):
        threads = (tmp_path / f"threads_{rank}").read_text().split()
        assert threads
        assert [name for name in threads if "gloo" in name] == []


@pytest.mark.slow
def test_adapters_train_on_two_ranks_as_on_one(one_process: tuple[Path, Path], tiny: Path, tmp_path: Path) -> None:
    """A parameter without a gradient, such as an adapter of the pooler, stops DDP at its second step."""
    file, _ = one_process
    lora = ("--model.lora.rank", "4", "--model.lora.alpha", "8")
    run_here(command(tmp_path / "1", tiny, file, 1, *lora))
    finish(fit(tmp_path / "2", tiny, file, 2, *lora))
    before = load_file(tiny / "model.safetensors")
    assert max((weights(tmp_path / "1")[k] - before[k]).abs().max() for k in before) > 1e-4
    assert_equal(weights(tmp_path / "2"), weights(tmp_path / "1"), 1e-5)


@pytest.mark.slow
def test_a_run_that_lost_one_rank_goes_on_where_it_was(
    one_process: tuple[Path, Path], tiny: Path, tmp_path: Path
) -> None:
    """Rank 1 is killed with SIGKILL; restarted on two ranks or on one, the run ends like the unbroken one."""
    file, one = one_process
    run = fit(tmp_path, tiny, file, 2)
    last = tmp_path / "checkpoints" / "fit" / "version_0" / "last.ckpt"
    assert wait_until(lambda: step_of(last) > 0, run)
    os.kill(next(pid for pid in children(run.pid) if is_rank(pid, 1)), signal.SIGKILL)
    try:
        run.wait(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    assert 0 < step_of(last) < STEPS
    for ranks in (2, 1):
        goes_on = command(tmp_path, tiny, file, ranks, "--ckpt_path", last, "--name", f"on_{ranks}")
        run_here(goes_on) if ranks == 1 else finish(start(goes_on))
        assert_equal(weights(tmp_path, f"on_{ranks}"), weights(one), 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "all_of_them"), [(signal.SIGTERM, False), (signal.SIGINT, True)])
def test_two_ranks_that_are_told_to_end_do(
    one_process: tuple[Path, Path], tiny: Path, tmp_path: Path, number: int, all_of_them: bool
) -> None:
    """After the same step, which is saved, whether one is told, as by `kill`, or all, as by Ctrl-C in a terminal."""
    last = tmp_path / "checkpoints" / "fit" / "version_0" / "last.ckpt"
    run = fit(tmp_path, tiny, one_process[0], 2, "--trainer.max_steps", 10**6, "--checkpoint_every", 10**6)
    assert wait_until(last.exists, run)
    ranks = children(run.pid)
    (os.killpg if all_of_them else os.kill)(run.pid, number)
    _, said = run.communicate(timeout=180)
    assert run.returncode == 128 + number, said
    assert wait_until(lambda: not any(map(is_running, ranks)))
    assert step_of(last) > 0
    assert f"go on with --ckpt_path {last}" in said


@pytest.mark.slow
def test_ranks_end_with_their_launcher(one_process: tuple[Path, Path], tiny: Path, tmp_path: Path) -> None:
    """Killed with SIGKILL, it can tell them nothing; a rank that waits for it in a collective would for ever."""
    run = fit(tmp_path, tiny, one_process[0], 2, "--trainer.max_steps", 10**6)
    assert wait_until((tmp_path / "checkpoints" / "fit" / "version_0" / "last.ckpt").exists, run)
    (rank,) = (pid for pid in children(run.pid) if is_rank(pid, 1))
    os.kill(rank, signal.SIGSTOP)  # so that it hears of no closed connection before its launcher is gone
    run.kill()
    os.kill(rank, signal.SIGCONT)
    run.communicate()
    assert wait_until(lambda: not is_running(rank), seconds=10)


@pytest.mark.slow
def test_two_ranks_write_the_results_of_one(tiny: Path, beir: Path, tmp_path: Path) -> None:
    asked = [*(*COMPRET, "test", "--config", "nanobeir.yaml", "--model.backbone", tiny, "--data.source", beir, *ON_CPU)]
    found = []
    for ranks in ("1", "2"):
        folder = tmp_path / ranks
        tested = [*asked, "--trainer.devices", ranks, "--trainer.default_root_dir", folder]
        run_here(tested) if ranks == "1" else finish(start(tested))
        assert [path.name for path in (folder / "logs" / "nanobeir").iterdir()] == ["version_0"]
        written = folder / "logs" / "nanobeir" / "version_0"
        runs = {path.name: path.read_text() for path in (written / "runs").iterdir()}
        found.append((json.loads((written / "results.json").read_text())["retrieval"], runs))
    assert found[0] == found[1]
    assert len(found[0][1]) == 2
