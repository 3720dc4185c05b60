"""What a loss is given of a batch: the same candidates, masks and counts, whatever scores two texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from compret.distributed import first_row, gather_rows, mean_rows, row_counts
from compret.losses import Needs, own_texts
from compret.types import PairScores, TripletBatch


class BatchTexts(Protocol):
    """This rank's texts of a batch, numbered as in it: anchors, positives, negatives; and what scores two of them."""

    def pairs(self, rows: Sequence[tuple[int, int]]) -> Tensor:
        """Scores of some pairs of texts, `(P,)`."""

    def against(self, rows: range, roles: Sequence[range], columns_BC: Tensor | None = None) -> Tensor:
        """Scores of B texts with candidates of all ranks, `(B, C)`.

        Args:
            roles: the texts that each rank gives as candidates; all ranks' of one role stand before the next role's.
            columns_BC: which of the candidates each text is scored with; all if None.
        """


def pair_scores(batch: TripletBatch, needs: Needs, texts: BatchTexts) -> PairScores:
    """The scores that a loss needs of this rank's rows, against the candidates of all ranks."""
    anchors_T = _indices(batch, [a for a in batch.negative_anchors if a < len(batch.positive_rows_P)])
    scores = _of_own(batch, texts) if needs.candidates == "own" else _of_all(batch, needs, texts, anchors_T)
    return PairScores(
        anchors_T=anchors_T,
        positives_a_rank=mean_rows(batch.positive_keys_P),
        negatives_a_rank=mean_rows(batch.negative_keys_C),
        triplets_a_rank=mean_rows(anchors_T),
        columns=batch.columns,
        **scores,
        **_of_teacher(batch),
    )


def _of_own(batch: TripletBatch, texts: BatchTexts) -> dict[str, Tensor]:
    """Scores of own pairs; of one positive at least, so that a loss of none has a gradient too, which is 0."""
    b, p = len(batch), len(batch.positive_rows_P)
    positives_B = texts.pairs([(i, b + i) for i in range(p)] or [(0, 0)])[:p]
    negatives_C = texts.pairs(_negative_pairs(batch))
    return {"positives_B": positives_B, "negatives_C": negatives_C, "rows_B": _indices(batch, range(p))}


def _of_all(batch: TripletBatch, needs: Needs, texts: BatchTexts, anchors_T: Tensor) -> dict[str, Tensor]:
    """Scores against the candidates of all ranks, with masks.

    A rank without a positive scores a text all the same and leaves its scores out, since all ranks must gather as
    often, in the backward pass too; where no rank has any, its first texts stand in for candidates.
    """
    b, p, anywhere = len(batch), len(batch.positive_rows_P), sum(row_counts(batch.positive_keys_P))
    anchors, positives = range(p if anywhere else 1), range(b, b + (p if anywhere else 1))
    negatives = range(b + p, b + p + len(batch.negative_anchors))
    roles = [positives, negatives] if needs.candidates == "all" else [positives]
    keys_C = _keys(batch, roles)
    columns_BC, rows_B = _columns(batch, needs, len(keys_C))
    every_BC = texts.against(range(p or 1), roles, columns_BC)[:p]
    own = _negative_pairs(batch)
    if needs.candidates == "all":
        columns_T = anywhere + first_row(batch.negative_keys_C) + _indices(batch, range(len(anchors_T)))
        negatives_C = torch.cat([every_BC[anchors_T, columns_T], texts.pairs(own[len(anchors_T) :])])
    else:
        negatives_C = texts.pairs(own)
    scores = {
        "positives_B": every_BC.gather(1, rows_B.unsqueeze(1)).squeeze(1),
        "negatives_C": negatives_C,
        "rows_B": rows_B,
        "every_BC": every_BC,
        "duplicates_BC": _own_texts(batch, keys_C if columns_BC is None else keys_C[columns_BC[:p]]),
    }
    if needs.symmetric:
        scores["reverse_BA"] = texts.against(range(b, b + (p or 1)), [anchors])[:p]
        scores["duplicates_BA"] = _own_texts(batch, _keys(batch, [anchors]))
    return scores


def _negative_pairs(batch: TripletBatch) -> list[tuple[int, int]]:
    """Each negative with the anchor that it was given for."""
    before = len(batch) + len(batch.positive_rows_P)
    return [(anchor, before + c) for c, anchor in enumerate(batch.negative_anchors)]


def _columns(batch: TripletBatch, needs: Needs, candidates: int) -> tuple[Tensor | None, Tensor]:
    """Each anchor's candidates if it has but some, and where its positive stands among its candidates."""
    p = len(batch.positive_rows_P)
    rows_B = first_row(batch.positive_keys_P) + _indices(batch, range(p or 1))
    if needs.others is None:
        return None, rows_B[:p]
    steps_C = _indices(batch, range(min(needs.others + 1, candidates)))
    return (rows_B.unsqueeze(1) + steps_C) % candidates, torch.zeros_like(rows_B[:p])


def _keys(batch: TripletBatch, roles: Sequence[range]) -> Tensor:
    """Hashes of the texts that all ranks give as candidates."""
    keys_T = torch.cat([batch.anchor_keys_B, batch.positive_keys_P, batch.negative_keys_C])
    return torch.cat([gather_rows(keys_T[role.start : role.stop]) for role in roles])


def _own_texts(batch: TripletBatch, keys_BC: Tensor) -> Tensor:
    return own_texts(batch.anchor_keys_B[: len(batch.positive_rows_P)], batch.positive_keys_P, keys_BC)


def _of_teacher(batch: TripletBatch) -> dict[str, Tensor]:
    """A teacher's scores of the own pairs, where the rows have them.

    A labelled pair has one score, `teacher`; where its label is 0 the pair is the negative's.
    """
    if "teacher" not in batch.columns:
        return {}
    given_B, p = batch.columns["teacher"], len(batch.positive_rows_P)
    negatives_B = batch.columns.get("teacher_negative", torch.full_like(given_B, torch.nan))
    is_pairs_B = negatives_B.isnan() & (torch.arange(len(given_B), device=given_B.device) >= p)
    negatives_B = torch.where(is_pairs_B, given_B, negatives_B)
    anchors_C = _indices(batch, batch.negative_anchors)
    return {"teacher_positives_B": given_B[:p], "teacher_negatives_C": negatives_B[anchors_C]}


def _indices(batch: TripletBatch, rows: Iterable[int]) -> Tensor:
    return torch.tensor(list(rows), dtype=torch.long, device=batch.anchor_keys_B.device)
