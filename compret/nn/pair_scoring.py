"""Scores of pairs in blocks of similar length, under a budget: all queries against all candidates, or row by row.

Blocks are cut to their longest texts, so that no pair pays for the batch's longest; each is recomputed in the backward
pass, so that memory is that of one block. Neither the blocks nor their order change a score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from compret.nn.simmap import SimilarityMaps
from compret.nn.verifiers.base import Verifier
from compret.types import Encoded

BUDGET = 1 << 26
"""Floats that one block may hold: 256 MiB."""
Rows = Sequence[int]


@dataclass(frozen=True)
class TokenStates:
    """Unit token vectors of B texts laid end to end, without padding, and each text's unit pooled vector."""

    unit_TD: Tensor
    """`(T, D)`: T tokens of all texts."""
    lengths: tuple[int, ...]
    """Tokens of each text; they sum to T."""
    pooled_BD: Tensor

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, rows: Rows) -> TokenStates:
        """The texts of some rows, in their order."""
        starts, none = self.starts, np.empty(0, dtype=np.int64)
        index = np.concatenate([none, *(np.arange(starts[r], starts[r] + self.lengths[r]) for r in rows)])
        lengths = tuple(self.lengths[r] for r in rows)
        return TokenStates(_take(self.unit_TD, index), lengths, _take(self.pooled_BD, np.asarray(rows, dtype=np.int64)))

    @cached_property
    def starts(self) -> list[int]:
        return [0, *accumulate(self.lengths)][:-1]

    def to(self, device: torch.device) -> TokenStates:
        return TokenStates(self.unit_TD.to(device), self.lengths, self.pooled_BD.to(device))


@dataclass(frozen=True)
class _Padded:
    unit_BMD: Tensor
    mask_BM: Tensor
    pooled_BD: Tensor


def token_states(encoded: Encoded, spans: Sequence[tuple[int, int]]) -> TokenStates:
    """The states of one pass without its padding, normalised in float32.

    Args:
        spans: `[start, end)` of the tokens to keep of each text, known on the host so that no mask must be read back.
    """
    width = encoded.tokens_BMD.shape[1]
    index = np.concatenate([row * width + np.arange(start, end) for row, (start, end) in enumerate(spans)])
    flat_TD = _take(encoded.tokens_BMD.flatten(0, 1), index)
    return TokenStates(_unit(flat_TD), tuple(end - start for start, end in spans), _unit(encoded.pooled_BD))


def joined(parts: Sequence[TokenStates]) -> TokenStates:
    """The texts of several passes, one after the other."""
    tokens_TD = torch.cat([part.unit_TD for part in parts])
    lengths = tuple(length for part in parts for length in part.lengths)
    return TokenStates(tokens_TD, lengths, torch.cat([part.pooled_BD for part in parts]))


def score_all(verifier: Verifier, queries: TokenStates, candidates: TokenStates, budget: int = BUDGET) -> Tensor:
    """Scores of each query with each candidate, `(Q, C)`.

    Args:
        budget: floats that a block may hold at a time; it changes no score.
    """
    rows, columns = (_groups(states.lengths, verifier, budget) for states in (queries, candidates))
    lefts, rights = ([_padded(s, g) for g in groups] for s, groups in ((queries, rows), (candidates, columns)))
    scores = torch.cat([torch.cat([_block(verifier, a, c) for c in rights], 1) for a in lefts])
    return scores[_inverse(rows, scores.device)][:, _inverse(columns, scores.device)]


def score_pairs(
    verifier: Verifier,
    queries: TokenStates,
    candidates: TokenStates,
    rows: Sequence[tuple[int, int]] | None = None,
    device: torch.device | None = None,
    budget: int = BUDGET,
) -> Tensor:
    """Scores of P pairs, `(P,)`.

    Args:
        rows: query and candidate of each pair; each query with the candidate of its own row if None.
        device: where the verifier is; that of the states if None.
    """
    rows = rows if rows is not None else [(i, i) for i in range(len(queries))]
    device = device or queries.pooled_BD.device
    if not rows:
        return torch.zeros(0, device=device)
    groups = _pair_groups([(queries.lengths[q], candidates.lengths[c]) for q, c in rows], verifier, budget)
    scores = []
    for group in groups:
        left, right = zip(*(rows[pair] for pair in group), strict=True)
        scores.append(_aligned(verifier, _padded(queries, left, device), _padded(candidates, right, device)))
    return torch.cat(scores)[_inverse(groups, device)]


def _block(verifier: Verifier, queries: _Padded, candidates: _Padded) -> Tensor:
    def score(a_BMD: Tensor, c_CND: Tensor, pooled_a: Tensor, pooled_c: Tensor) -> Tensor:
        q, c = len(a_BMD), len(c_CND)
        map_PMN = torch.einsum("qmd,cnd->qcmn", a_BMD, c_CND).flatten(0, 1)
        masks = queries.mask_BM.repeat_interleave(c, 0), candidates.mask_BM.repeat(q, 1)
        maps = SimilarityMaps(map_PMN, *masks, (pooled_a @ pooled_c.T).flatten())
        return verifier(maps).view(q, c)  # type: ignore[no-any-return]

    return _recomputed(verifier, score, queries, candidates)


def _aligned(verifier: Verifier, queries: _Padded, candidates: _Padded) -> Tensor:
    def score(a_PMD: Tensor, c_PND: Tensor, pooled_a: Tensor, pooled_c: Tensor) -> Tensor:
        cosine_P = (pooled_a * pooled_c).sum(-1)
        maps = SimilarityMaps(a_PMD @ c_PND.mT, queries.mask_BM, candidates.mask_BM, cosine_P)
        return verifier(maps)  # type: ignore[no-any-return]

    return _recomputed(verifier, score, queries, candidates)


def _recomputed(
    verifier: Verifier, score: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor], a: _Padded, c: _Padded
) -> Tensor:
    """The scores of a block in float32; what lies between is computed again in the backward pass."""
    inputs = (a.unit_BMD, c.unit_BMD, a.pooled_BD, c.pooled_BD)
    with torch.autocast(a.unit_BMD.device.type, enabled=False):
        if not torch.is_grad_enabled():
            return score(*inputs)
        return checkpoint(  # type: ignore[no-any-return]
            score, *inputs, use_reentrant=False, context_fn=lambda: (nullcontext(), _statistics_kept(verifier))
        )


@contextmanager
def _statistics_kept(verifier: Verifier) -> Iterator[None]:
    """Running statistics see each batch once, not again when it is recomputed."""
    norms = [module for module in verifier.modules() if isinstance(module, _BatchNorm)]
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, tracked) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, tracked


def _groups(lengths: Sequence[int], verifier: Verifier, budget: int) -> list[list[int]]:
    """Rows by rising length, cut so that the pairs of any two groups together stay in the budget, or are one pair."""
    groups: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if not groups or (len(groups[-1]) + 1) ** 2 * verifier.floats(lengths[row], lengths[row]) > budget:
            groups.append([])
        groups[-1].append(row)
    return groups


def _pair_groups(lengths: Sequence[tuple[int, int]], verifier: Verifier, budget: int) -> list[list[int]]:
    """Rows of similar lengths on both sides, cut so that a group stays in the budget, or is one pair."""
    groups: list[list[int]] = []
    most = (0, 0)
    for row in sorted(range(len(lengths)), key=lambda r: (lengths[r][0] * lengths[r][1], lengths[r])):
        longer = (max(most[0], lengths[row][0]), max(most[1], lengths[row][1]))
        if not groups or (len(groups[-1]) + 1) * verifier.floats(*longer) > budget:
            groups.append([])
            longer = lengths[row]
        most = longer
        groups[-1].append(row)
    return groups


def _padded(states: TokenStates, rows: Rows, device: torch.device | None = None) -> _Padded:
    device = device or states.unit_TD.device
    starts = states.starts
    width = max(states.lengths[r] for r in rows)
    places = np.arange(width)
    lengths_B1 = np.array([[states.lengths[r]] for r in rows])
    mask_BM = places < lengths_B1
    index_BM = np.where(mask_BM, places + np.array([[starts[r]] for r in rows]), 0)
    mask = torch.from_numpy(mask_BM).to(device)
    unit_BMD = _take(states.unit_TD, index_BM.ravel()).to(device).float().view(len(rows), width, -1)
    pooled_BD = _take(states.pooled_BD, np.asarray(rows)).to(device).float()
    return _Padded(unit_BMD * mask.unsqueeze(2), mask, pooled_BD)


def _take(x: Tensor, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Tensor:
    return x.index_select(0, torch.from_numpy(rows).to(x.device))


def _unit(x: Tensor) -> Tensor:
    return F.normalize(x.float(), dim=-1)


def _inverse(groups: Sequence[Rows], device: torch.device) -> Tensor:
    """Where each row stands in the groups laid end to end."""
    order = np.concatenate([np.asarray(group) for group in groups])
    return torch.from_numpy(np.argsort(order)).to(device)
