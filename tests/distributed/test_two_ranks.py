"""Two ranks train like one: the mean of their gradients is that of one process with both halves (law 2)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from tests.distributed.one_rank import MODELS
from tests.processes import start

SCRIPT = Path(__file__).with_name("one_rank.py")


@pytest.fixture(scope="module")
def gradients(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Path:
    """A folder with the gradients of each model, on one rank and on two, plain and cached."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "tiny").symlink_to(tiny)
    animals = ["dog", "cat", "bird", "man", "woman", "house", "tree"]
    texts = [f"the {'very ' * (i % 5)}{a} bit the {b}" for i, a in enumerate(animals) for b in animals if a != b]
    rows = [{"anchor": t, "positive": f"{t} in the river", "negative": t.replace("bit", "saw")} for t in texts]
    (folder / "triplets.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    runs = [start([sys.executable, SCRIPT, rank, folder], stderr=None) for rank in (0, 1)]
    assert [run.wait(timeout=500) for run in runs] == [0, 0]
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("kind", ["plain", "cached"])
def test_gradients_of_two_ranks_are_those_of_one(gradients: Path, name: str, kind: str) -> None:
    one, two = (torch.load(gradients / f"{name}_{k}_{ranks}.pt") for k, ranks in (("plain", 1), (kind, 2)))
    assert set(one) == set(two)
    assert len(one) > 20
    size = max(float(gradient.norm()) for gradient in one.values())
    for parameter, gradient in one.items():
        assert gradient.dtype == torch.float64
        assert float((two[parameter] - gradient).norm()) <= 1e-6 * size, parameter
