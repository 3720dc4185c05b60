"""Which sequences go through a transformer together: those of similar length, as many as a budget of tokens holds."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

CPU_TOKENS_A_PASS = 2048
"""Token cells of one pass on a CPU: their hidden states stay in its caches."""
TOKENS_A_PASS = 1 << 16
"""Token cells of one pass elsewhere: enough work to fill a GPU."""


def tokens_a_pass(device: torch.device) -> int:
    return CPU_TOKENS_A_PASS if device.type == "cpu" else TOKENS_A_PASS


def passes_of(lengths_B: NDArray[np.int64], budget: int) -> list[NDArray[np.int64]]:
    """The sequences of each pass by falling length, at most `budget` padded tokens a pass (or one sequence)."""
    order = np.argsort(-lengths_B, kind="stable")
    return [order[rows] for rows in budgeted(lengths_B[order], budget)]


def budgeted(falling_lengths_B: NDArray[np.int64], budget: int) -> list[slice]:
    """Consecutive slices of texts of falling length, each at most `budget` padded tokens (or one text)."""
    slices, start = [], 0
    while start < len(falling_lengths_B):
        size = max(1, budget // max(1, int(falling_lengths_B[start])))
        slices.append(slice(start, min(start + size, len(falling_lengths_B))))
        start += size
    return slices
