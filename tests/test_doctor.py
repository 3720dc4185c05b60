"""`compret doctor`: each fact on a line, a measurement, and advice that fits the machine."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

Run = Callable[..., tuple[int, str]]


def facts(said: str) -> dict[str, str]:
    return {line[:14].strip(): line[14:] for line in said.splitlines() if line.strip()}


def test_it_says_what_there_is_and_measures(
    compret: Run, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPRET_CACHE", str(tmp_path / "cache"))
    code, said = compret("doctor", "--model", tiny, "--seconds", 0.05)
    found = facts(said)
    assert code == 0
    assert f"torch {torch.__version__}" in found["versions"]
    assert found["embedded data"] == "not made yet"
    assert found["hub"] == "not asked for: HF_HUB_OFFLINE is set"
    speed = re.match(r"([\d,]+) texts a second", found["speed"])
    assert speed is not None
    assert int(speed[1].replace(",", "")) > 0
    assert "the embedded data is made by the first run" in said
    assert {path.name for path in tmp_path.glob("cache/*")} <= {"cpu_kernels"}


def test_advice_follows_from_what_it_found(compret: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(7)))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("compret.nn.bf16.bf16_slowdown", lambda: 9.0)
    monkeypatch.delenv("HF_HUB_OFFLINE")

    def refused(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr("socket.create_connection", refused)
    said = compret("doctor", "--seconds", 0)[1]
    assert f"torch uses {torch.get_num_threads()} of 7 cores: set OMP_NUM_THREADS=7" in said
    assert "leave --trainer.precision at 32-true" in said
    assert "no hub: give models and data sets as folders" in said
    assert "speed" not in facts(said)
