"""Two ranks train like one: the mean of their gradients is that of one process with both halves (law 2)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).with_name("one_rank.py")


def gradients(folder: Path, name: str, ranks: int) -> dict[str, torch.Tensor]:
    command = [sys.executable, str(SCRIPT)]
    runs = [subprocess.Popen([*command, str(rank), str(ranks), str(folder), name]) for rank in range(ranks)]
    assert [run.wait(timeout=120) for run in runs] == [0] * ranks
    found: dict[str, torch.Tensor] = torch.load(folder / f"{name}_{ranks}.pt")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["encoder", "maxsim", "transformer"])
def test_gradients_of_two_ranks_are_those_of_one(tmp_path: Path, tiny: Path, triplets: Path, name: str) -> None:
    (tmp_path / "tiny").symlink_to(tiny)
    one, two = (gradients(tmp_path, name, ranks) for ranks in (1, 2))
    assert set(one) == set(two)
    largest = max(float(gradient.norm()) for gradient in one.values())
    for parameter, gradient in one.items():
        # some gradients are nothing but rounding, such as those of the bias of attention's keys
        allowed = 1e-5 * max(float(gradient.norm()), 1e-2 * largest)
        assert float((two[parameter] - gradient).norm()) <= allowed, parameter
