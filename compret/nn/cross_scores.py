"""Scores of a cross-encoder: of some pairs of a batch's texts, or of texts against those of all ranks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, product

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from compret.distributed import gather_objects, gather_rows, world_size
from compret.nn.cross_encoder import CrossTransformer
from compret.nn.joint_tokens import TextIds
from compret.types import TokenBatch


class CrossScores:
    """The texts of a batch, scored in pairs; in training each pair in an order drawn by chance, for scores have none.

    Args:
        texts: this rank's T texts.
        pooled_TD: their pooled vectors, any norm.
    """

    def __init__(self, cross: CrossTransformer, texts: TextIds, pooled_TD: Tensor) -> None:
        self.cross, self.texts = cross, texts
        self.unit_TD = F.normalize(pooled_TD.float(), dim=-1)

    def pairs(self, rows: Sequence[tuple[int, int]]) -> Tensor:
        """Scores of some pairs of texts, `(P,)`."""
        return self._scored(self.texts, self.unit_TD, rows)

    def against(self, rows: range, roles: Sequence[range], columns_BC: Tensor | None = None) -> Tensor:
        """Scores of B texts with the candidates of all ranks, `(B, C)`, role by role; or with some of them."""
        texts, unit_TD = self._with_candidates(roles)
        mine, candidates = len(self.texts.lengths), len(texts.lengths) - len(self.texts.lengths)
        columns = [range(candidates)] * len(rows) if columns_BC is None else columns_BC.tolist()
        pairs = [pair for row, of in zip(rows, columns, strict=True) for pair in product([row], (mine + c for c in of))]
        return self._scored(texts, unit_TD, pairs).view(len(rows), -1)

    def _with_candidates(self, roles: Sequence[range]) -> tuple[TextIds, Tensor]:
        """This rank's texts, and behind them all ranks' candidates."""
        parts = [part_of(self.texts, role) for role in roles]
        lengths = [part.lengths if world_size() == 1 else tuple(chain(*gather_objects(part.lengths))) for part in parts]
        ids_T = torch.cat([self.texts.ids_T, *(gather_rows(part.ids_T) for part in parts)])
        unit_TD = torch.cat([self.unit_TD, *(gather_rows(self.unit_TD[role.start : role.stop]) for role in roles)])
        return TextIds(ids_T, (*self.texts.lengths, *chain(*lengths))), unit_TD

    def _scored(self, texts: TextIds, unit_TD: Tensor, rows: Sequence[tuple[int, int]]) -> Tensor:
        pairs_P2 = np.array(rows, dtype=np.int64).reshape(-1, 2)
        if self.cross.training:
            turned = torch.rand(len(pairs_P2)).numpy() < 0.5
            pairs_P2 = np.where(turned[:, None], pairs_P2[:, ::-1], pairs_P2)
        left_P, right_P = torch.from_numpy(pairs_P2.copy()).to(unit_TD.device).T
        return self.cross.score(texts, texts, pairs_P2, (unit_TD[left_P] * unit_TD[right_P]).sum(-1))


def part_of(texts: TextIds, rows: range) -> TextIds:
    """The texts of consecutive rows."""
    lengths = texts.lengths[rows.start : rows.stop]
    start = sum(texts.lengths[: rows.start])
    return TextIds(texts.ids_T[start : start + sum(lengths)], lengths)


def ids_of(passes: Sequence[TokenBatch], places: Sequence[int]) -> TextIds:
    """The ids of a batch's texts, in the order of some places in its passes; no id is read back to the host."""
    flat: list[Tensor] = []
    starts: list[int] = []
    lengths: list[int] = []
    end = 0
    for tokens in passes:
        flat.append(tokens.ids_BM.flatten())
        width = tokens.ids_BM.shape[1]
        starts += [end + row * width for row in range(len(tokens.lengths))]
        lengths += tokens.lengths
        end += tokens.ids_BM.numel()
    wanted = tuple(lengths[place] for place in places)
    index_T = np.concatenate([np.arange(starts[p], starts[p] + n) for p, n in zip(places, wanted, strict=True)])
    known = torch.cat(flat)
    return TextIds(known[torch.from_numpy(index_T).to(known.device)], wanted)
