"""`compret fit` on two ranks ends with the weights of one process, also after one rank was killed (laws 2 and 7)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

STEPS = 20


ENDS = str(Path(__file__).with_name("ends.py"))


def start(
    folder: Path, tiny: Path, file: Path, ranks: int, *more: str, program: tuple[str, ...] = ("-m", "compret")
) -> subprocess.Popen[str]:
    """Twenty steps of sixteen rows a step in all, without dropout, whose random numbers are each rank's own."""
    command = [
        *(sys.executable, *program, "fit", "--model.backbone", str(tiny), "--model.dropout", "0"),
        *("--data.files", f"[{file}]", "--data.batch_size", str(16 // ranks), "--trainer.max_steps", str(STEPS)),
        *("--trainer.default_root_dir", str(folder), "--checkpoint_every", "2", "--trainer.accelerator", "cpu"),
        *("--trainer.enable_progress_bar", "false", "--model.optimizer.lr", "1e-3", "--data.holdout", "0.1"),
        *(("--trainer.devices", str(ranks), "--trainer.strategy", "ddp") if ranks > 1 else ()),
        *more,
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def finish(run: subprocess.Popen[str]) -> None:
    _, said = run.communicate(timeout=180)
    assert run.returncode == 0, said


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
    finish(start(folder / "one", tiny, file, 1))
    return file, folder / "one"


@pytest.mark.slow
def test_two_ranks_end_with_the_weights_of_one(one_process: tuple[Path, Path], tiny: Path, tmp_path: Path) -> None:
    file, one = one_process
    finish(start(tmp_path, tiny, file, 2))
    before = load_file(tiny / "model.safetensors")
    assert max((weights(one)[k] - before[k]).abs().max() for k in before) > 1e-3
    assert_equal(weights(tmp_path), weights(one), 1e-5)


@pytest.mark.slow
def test_adapters_train_on_two_ranks_as_on_one(one_process: tuple[Path, Path], tiny: Path, tmp_path: Path) -> None:
    """A parameter without a gradient, such as an adapter of the pooler, stops DDP at its second step."""
    file, _ = one_process
    lora = ("--model.lora.rank", "4", "--model.lora.alpha", "8")
    for ranks in (1, 2):
        finish(start(tmp_path / str(ranks), tiny, file, ranks, *lora))
    before = load_file(tiny / "model.safetensors")
    assert max((weights(tmp_path / "1")[k] - before[k]).abs().max() for k in before) > 1e-4
    assert_equal(weights(tmp_path / "2"), weights(tmp_path / "1"), 1e-5)


@pytest.mark.slow
def test_a_run_that_lost_one_rank_goes_on_where_it_was(
    one_process: tuple[Path, Path], tiny: Path, tmp_path: Path
) -> None:
    """Rank 1 is killed with SIGKILL; restarted on two ranks or on one, the run ends like the unbroken one."""
    file, one = one_process
    run = start(tmp_path, tiny, file, 2)
    last = tmp_path / "checkpoints" / "fit" / "version_0" / "last.ckpt"
    while run.poll() is None and not last.exists():
        time.sleep(0.002)
    os.kill(next(pid for pid in children(run.pid) if is_rank(pid, 1)), signal.SIGKILL)
    try:
        run.wait(timeout=20)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    step = torch.load(last, weights_only=True)["global_step"]
    assert 0 < step < STEPS
    for ranks in (2, 1):
        finish(start(tmp_path, tiny, file, ranks, "--ckpt_path", str(last), "--name", f"on_{ranks}"))
        assert_equal(weights(tmp_path, f"on_{ranks}"), weights(one), 1e-5)


@pytest.mark.slow
def test_two_ranks_that_are_told_to_end_do(one_process: tuple[Path, Path], tiny: Path, tmp_path: Path) -> None:
    """At once and wherever they are; Lightning's way, one in two such runs hung, and the others ended with 0."""
    endless = ("--trainer.max_steps", "100000", "--trainer.max_epochs", "-1")
    run = start(tmp_path, tiny, one_process[0], 2, *endless)
    while run.poll() is None and not (tmp_path / "checkpoints" / "fit" / "version_0" / "last.ckpt").exists():
        time.sleep(0.002)
    ranks = children(run.pid)
    run.terminate()
    _, said = run.communicate(timeout=60)
    assert run.returncode == 128 + signal.SIGTERM, said
    until = time.monotonic() + 60
    while any(is_running(pid) for pid in ranks) and time.monotonic() < until:
        time.sleep(0.01)
    assert [pid for pid in ranks if is_running(pid)] == []


@pytest.mark.slow
def test_no_thread_between_ranks_outlives_a_run(one_process: tuple[Path, Path], tiny: Path, tmp_path: Path) -> None:
    """One that lets go of a tensor while Python ends aborts it, now and then, after all went well."""
    finish(start(tmp_path, tiny, one_process[0], 2, program=(ENDS, str(tmp_path))))
    for rank in (0, 1):
        threads = (tmp_path / f"threads_{rank}").read_text().split()
        assert threads
        assert [name for name in threads if "gloo" in name] == []


@pytest.mark.slow
def test_two_ranks_write_the_results_of_one(tiny: Path, beir: Path, tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "compret", "test", "--config", "nanobeir.yaml", "--model.backbone", str(tiny)),
        *("--model.max_length", "32", "--data.source", str(beir), "--trainer.accelerator", "cpu"),
    ]
    found = []
    for ranks in ("1", "2"):
        folder = tmp_path / ranks
        more = ("--trainer.devices", ranks, "--trainer.default_root_dir", str(folder))
        subprocess.run([*command, *more], env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, capture_output=True)
        assert [path.name for path in (folder / "logs" / "nanobeir").iterdir()] == ["version_0"]
        written = folder / "logs" / "nanobeir" / "version_0"
        runs = {path.name: path.read_text() for path in (written / "runs").iterdir()}
        found.append((json.loads((written / "results.json").read_text())["retrieval"], runs))
    assert found[0] == found[1]
    assert len(found[0][1]) == 2


def children(pid: int) -> list[int]:
    """Processes below one, on Linux."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *children(child)]
    return found


def is_running(pid: int) -> bool:
    """Neither gone nor a zombie, which waits for its parent alone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def is_rank(pid: int, rank: int) -> bool:
    return f"LOCAL_RANK={rank}\0" in Path(f"/proc/{pid}/environ").read_text() + "\0"
