"""Whether this CPU is made for bfloat16: without AVX-512-BF16 or AMX its matrix products may take 300 times as long."""

from __future__ import annotations

import logging
import time

import torch

log = logging.getLogger(__name__)

_WIDTH = 128
_SECONDS = 0.01


def tell_of_slow_bf16() -> None:
    """Warn where bfloat16, which somebody asked for, is the slower choice."""
    slowdown = bf16_slowdown()
    if slowdown > 1:
        log.warning("bf16: on this CPU, products of bf16 matrices take %.1f times as long as float32's", slowdown)


def bf16_slowdown() -> float:
    """How many times as long a product of bfloat16 matrices takes as one of float32, on this CPU: above 1 is slower.

    Measured, in about 20 ms, or as long as two products take.
    """
    return _seconds(torch.bfloat16) / _seconds(torch.float32)


def _seconds(dtype: torch.dtype) -> float:
    """The shortest of a few products, after one that warms up."""
    matrix = torch.ones(_WIDTH, _WIDTH, dtype=dtype)
    torch.mm(matrix, matrix)
    times: list[float] = []
    begun = time.perf_counter()
    while not times or time.perf_counter() - begun < _SECONDS:
        start = time.perf_counter()
        torch.mm(matrix, matrix)
        times.append(time.perf_counter() - start)
    return min(times)
