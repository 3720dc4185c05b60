"""F4: a small Transformer over patches of the map's channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compret.nn.simmap import SimilarityMaps
from compret.nn.verifiers.base import Verifier
from compret.nn.verifiers.cnn import padded_to
from compret.types import UserError


class MapTransformer(Verifier):
    """Patches and a first token with learned places, pre-norm layers, and a score from the first token's state.

    With width the encoder's, 1 layer, 1 head, feedforward 32, patch 8, grid 128 and bounded it is the paper's F4
    (940,065 parameters at width 384, 3,354,657 at 768), a ViT (Dosovitskiy et al. 2020, arXiv 2010.11929).

    Args:
        width: of the patches' states; its own, not the encoder's.
        layers: of the Transformer.
        heads: of each layer's attention.
        feedforward: width of each layer's feed-forward part.
        patch: tokens a side of a patch.
        dropout: after the embeddings, each attention and each feed-forward part.
        max_length: tokens that a text may have.
        grid: pad each map to this size, one place a patch (the paper's); if None, patches are cut to the pair's size
            and places are sums of a row's and a column's.
        bounded: scores through tanh, in (-1, 1).
    """

    def __init__(
        self,
        width: int = 128,
        layers: int = 2,
        heads: int = 4,
        feedforward: int = 256,
        patch: int = 4,
        dropout: float = 0.1,
        max_length: int = 512,
        grid: int | None = None,
        bounded: bool = False,
    ) -> None:
        options = {"width": width, "layers": layers, "heads": heads, "feedforward": feedforward, "patch": patch}
        super().__init__(**options, dropout=dropout, max_length=max_length, grid=grid, bounded=bounded)
        if width % heads:
            raise UserError(f"model.verifier.width {width}: must be a multiple of its heads, {heads}")
        self.patch, self.grid, self.bounded = patch, grid, bounded
        self.max_tokens = grid or max_length
        side = -(-self.max_tokens // patch)
        self.embed = nn.Linear(3 * patch * patch, width)
        self.first = nn.Parameter(torch.zeros(1, 1, width))
        shapes = [side * side + 1] if grid else [side, side]
        self.places = nn.ParameterList(nn.Parameter(torch.randn(s, width) * 0.02) for s in shapes)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(Layer(width, heads, feedforward, dropout) for _ in range(layers))
        self.head = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.Dropout(dropout), nn.Linear(width, 1))
        self.floats_per_patch = 1 + layers * (8 * width + 2 * feedforward)

    def floats(self, m: int, n: int) -> int:
        m, n = self.grid or m, self.grid or n
        return 9 * m * n + self.floats_per_patch * -(-m // self.patch) * -(-n // self.patch)

    def forward(self, maps: SimilarityMaps) -> Tensor:
        channels, valid = maps.channels(), maps.valid_PMN.unsqueeze(1).float()
        if max(channels.shape[2:]) > self.max_tokens:
            m, n = channels.shape[2:]
            raise UserError(f"a map of {m} x {n} tokens is larger than the verifier's {self.max_tokens}")
        if self.grid is not None:
            channels, valid = padded_to(channels, self.grid), padded_to(valid, self.grid)
        x_PTW, mask_PT = self._tokens(channels, valid)
        for layer in self.layers:
            x_PTW = layer(x_PTW, mask_PT)
        score_P = self.head(x_PTW[:, 0]).squeeze(1)
        return score_P.tanh() if self.bounded else score_P  # type: ignore[no-any-return]

    def _tokens(self, channels: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        """The first token and the patches with their places, `(P, 1 + R C, W)`, and which of them are valid."""
        patches_PRCX = _patches(channels, self.patch)
        pairs, rows, columns = patches_PRCX.shape[:3]
        x_PRCW = self.embed(patches_PRCX)
        first_P1W = self.first.expand(pairs, 1, -1)
        if self.grid is not None:
            x_PTW = torch.cat([first_P1W, x_PRCW.flatten(1, 2)], 1) + self.places[0]
        else:
            placed = x_PRCW + self.places[0][:rows, None] + self.places[1][None, :columns]
            x_PTW = torch.cat([first_P1W, placed.flatten(1, 2)], 1)
        mask_PT = F.pad(_patches(valid, self.patch).amax(3).flatten(1) > 0, (1, 0), value=True)
        return self.dropout(self.norm(x_PTW)), mask_PT


class Layer(nn.Module):
    """A pre-norm Transformer layer (Xiong et al. 2020, arXiv 2002.04745)."""

    def __init__(self, width: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.project = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.feedforward = nn.Sequential(nn.Linear(width, feedforward), nn.GELU(), nn.Linear(feedforward, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_PTW: Tensor, mask_PT: Tensor) -> Tensor:
        x_PTW = x_PTW + self.dropout(self._attend(self.norms[0](x_PTW), mask_PT))
        return x_PTW + self.dropout(self.feedforward(self.norms[1](x_PTW)))  # type: ignore[no-any-return]

    def _attend(self, x_PTW: Tensor, mask_PT: Tensor) -> Tensor:
        heads = self.project(x_PTW).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        seen_P11T = mask_PT[:, None, None, :]
        query, key, value = heads.unbind(0)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=seen_P11T)
        return self.out(attended.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


def _patches(x_PKMN: Tensor, patch: int) -> Tensor:
    """Square patches, `(P, R, C, K patch patch)`; the last row and column of them are filled with zeros."""
    m, n = x_PKMN.shape[2:]
    x = F.pad(x_PKMN, (0, -n % patch, 0, -m % patch))
    x = x.unflatten(3, (-1, patch)).unflatten(2, (-1, patch))
    patches: Tensor = x.permute(0, 2, 4, 1, 3, 5).flatten(3)
    return patches
