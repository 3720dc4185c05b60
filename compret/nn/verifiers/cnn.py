"""F3: a small convolutional network over the map's channels."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compret.nn.simmap import SimilarityMaps
from compret.nn.verifiers.base import Verifier


class MapCNN(Verifier):
    """Two stages of 3 x 3 convolution, norm, ReLU and 2 x 2 maximum; mean over the valid cells; two linear layers.

    With widths [128, 256], hidden 128, norm batch, grid 128 and bounded it is the paper's F3 (332,545 parameters),
    which pads each map to 128 x 128 and takes its mean over the padding too.

    Args:
        widths: channels of the two stages.
        hidden: width of the hidden linear layer.
        dropout: before the last layer.
        norm: layer (over the channels of a cell) or batch (the paper's; a score then depends on its batch).
        grid: pad each map to this size and do not mask (the paper's); maps keep their own size if None.
        bounded: scores through tanh, in (-1, 1).
    """

    def __init__(
        self,
        widths: tuple[int, int] = (32, 64),
        hidden: int = 64,
        dropout: float = 0.1,
        norm: Literal["layer", "batch"] = "layer",
        grid: int | None = None,
        bounded: bool = False,
    ) -> None:
        super().__init__(widths=widths, hidden=hidden, dropout=dropout, norm=norm, grid=grid, bounded=bounded)
        sizes = [3, *widths]
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in pairwise(sizes))
        kind = nn.BatchNorm2d if norm == "batch" else CellNorm
        self.norms = nn.ModuleList(kind(width) for width in widths)
        self.head = nn.Sequential(nn.Linear(widths[-1], hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 1))
        self.grid, self.bounded = grid, bounded
        self.max_tokens = grid or self.max_tokens
        self.floats_per_cell = 9 + 4 * widths[0] + widths[1]

    def floats(self, m: int, n: int) -> int:
        return super().floats(self.grid or m, self.grid or n)

    def forward(self, maps: SimilarityMaps) -> Tensor:
        x, valid = maps.channels(), maps.valid_PMN.unsqueeze(1).float()
        if self.grid is not None:
            x = padded_to(x, self.grid)
            valid = torch.ones_like(x[:, :1])
        x = x.contiguous(memory_format=torch.channels_last)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = F.max_pool2d(norm(convolution(x)).relu() * valid, 2, ceil_mode=True)
            valid = F.max_pool2d(valid, 2, ceil_mode=True)
        mean_PK = x.sum((2, 3)) / valid.sum((2, 3)).clamp(min=1)
        score_P = self.head(mean_PK).squeeze(1)
        return score_P.tanh() if self.bounded else score_P  # type: ignore[no-any-return]


class CellNorm(nn.LayerNorm):
    """LayerNorm over the channels of each cell of `(P, K, M, N)`, so that a cell's value needs no other cell."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def padded_to(channels_PKMN: Tensor, size: int) -> Tensor:
    """Zeros to the right and below, up to `size` x `size`.

    Raises:
        ValueError: the map is larger than the grid.
    """
    m, n = channels_PKMN.shape[2:]
    if max(m, n) > size:
        raise ValueError(f"a map of {m} x {n} tokens does not fit the verifier's grid of {size}")
    return F.pad(channels_PKMN, (0, size - n, 0, size - m))
