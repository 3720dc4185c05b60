"""What the fuzz shares: how many cases, values and bytes that nobody expects, and what an error must look like."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


def cases(slice_of: int) -> range:
    """The seeds of a test: COMPRET_FUZZ of them in a thorough run, else a slice that fits the tests' minutes."""
    return range(int(os.environ.get("COMPRET_FUZZ", slice_of)))


ODD: list[Any] = [
    *(None, True, False, 0, -1, 1, 3, 1 << 16, 1 << 31, 1 << 62, 10**400, 0.5, -0.5, 1e308, float("nan"), float("inf")),
    *("", "x", "../x", "/etc/passwd", "a\0b", "\ud800", "os.system", "subprocess.Popen", "torch.load", "x" * 5000),
    *([], {}, [1], ["x"], [[[]]], {"a": 1}, {"class_path": "os.system", "init_args": {"command": "touch canary"}}),
]


def one_of(values: Sequence[T], rng: np.random.Generator) -> T:
    return values[int(rng.integers(len(values)))]


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value within stands; of the vocabulary, a few."""
    yield path
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in list(inner)[:40]:
        yield from places(value, (*path, key))


def mutated(content: Any, rng: np.random.Generator) -> Any:
    """With one value replaced or removed."""
    path, value = one_of(list(places(content)), rng), one_of(ODD, rng)
    if not path:
        return value
    part = content
    for key in path[:-1]:
        part = part[key]
    if rng.random() < 0.2:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    return content


def break_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """A few other bytes, or fewer of them."""
    if rng.random() < 0.5:
        return content[: int(rng.integers(len(content)))]
    changed = bytearray(content)
    for place in rng.integers(min(len(content), 4096 if rng.random() < 0.5 else len(content)), size=3):
        changed[place] = int(rng.integers(256))
    return bytes(changed)


def break_file(path: Path, rng: np.random.Generator) -> None:
    """Another JSON value, a few other bytes, or a shorter file."""
    content = path.read_bytes()
    if path.suffix == ".json" and rng.random() < 0.8:
        path.write_text(json.dumps(mutated(json.loads(content), rng)))
    else:
        path.write_bytes(break_bytes(content, rng))


def check_line(error: object) -> None:
    """One line of a length that somebody reads."""
    assert str(error).isprintable()
    assert 10 < len(str(error)) < 2100


def check_run(code: int, said: str) -> None:
    """A run went well, or its mistake is one line and exit code 2."""
    told = [line for line in said.splitlines() if line.startswith("compret: ")]
    assert "Traceback" not in said, said
    assert (code, len(told)) in ((0, 0), (2, 1)), f"{code}: {said[-2000:]}"
    for line in told:
        check_line(line)
