"""CrossEncoder: reads both texts of a pair at once; slow, the ceiling of what the data allows, and the teacher."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from compret.distributed import is_sharded
from compret.evaluation.approximate import Search
from compret.evaluation.cross_scorer import CrossScorer
from compret.evaluation.encode import evaluating
from compret.losses import Binary, Loss
from compret.nn.backbone import MINILM
from compret.nn.cross_encoder import CrossTransformer
from compret.nn.cross_scores import CrossScores, ids_of
from compret.nn.encoder import TextEncoder
from compret.tasks.batch_scores import pair_scores
from compret.tasks.calibrated import CalibratedRunner
from compret.tasks.limits import check_least
from compret.tasks.optimizer import AdamW
from compret.types import TripletBatch, UserError


class CrossEncoder(CalibratedRunner):
    """Trains and tests the layers of an encoder, copied, over both texts of a pair; the encoder itself stays untouched.

    The encoder recalls documents, and its pooled cosine is a feature of each pair's score.

    Args:
        backbone: a folder (transformers or sentence-transformers) or a hub id, owner/name or owner/name@revision.
        loss: of the scores of a batch's pairs.
        optimizer: of the copied layers.
        head_optimizer: of the head.
        recall_weight: of the pooled cosine, added to the score when documents or pairs are tested.
        false_accept_rate: share of near-misses that the calibrated threshold may accept.
        search: how documents are recalled when testing: exact, or faiss (approximate).
        options: the others of the encoder, `EncoderOptions`; what is frozen stays frozen in the copy.
    """

    exports = False
    """`compret test` takes its checkpoint; no folder of another library holds a cross-encoder with its cosine."""

    def __init__(
        self,
        backbone: str = MINILM,
        loss: Loss = Binary(),
        optimizer: AdamW = AdamW(lr=4e-5),
        head_optimizer: AdamW = AdamW(lr=1e-3),
        recall_weight: float = 0.0,
        false_accept_rate: float = 0.05,
        search: Search = "exact",
        **options: Any,
    ) -> None:
        super().__init__(false_accept_rate)
        check_least(0, recall_weight=recall_weight)
        self.encoder = TextEncoder(backbone, **options)
        self.cross = CrossTransformer(self.encoder)
        self.encoder.requires_grad_(False)
        self.recipe = {**self.encoder.options.recipe(), "recall_weight": recall_weight}
        self.loss, self.optimizer, self.head_optimizer = loss, optimizer, head_optimizer
        self.recall_weight, self.search = recall_weight, search

    def on_fit_start(self) -> None:
        super().on_fit_start()
        if is_sharded(self.trainer.model):
            raise UserError("trainer.strategy: ranks read different numbers of pairs, so none may shard them; use ddp")

    def configure_optimizers(self) -> Any:
        return self.optimised((self.cross.transformer, self.optimizer), (self.cross.head, self.head_optimizer))

    def training_step(self, batch: TripletBatch, batch_idx: int) -> Tensor:
        loss = self.batch_loss(batch)
        self.log("train_loss", loss.detach(), prog_bar=True, batch_size=len(batch))
        return loss

    def batch_loss(self, batch: TripletBatch) -> Tensor:
        """The loss of this rank's rows."""
        with evaluating(self.encoder), torch.no_grad():
            pooled = torch.cat([self.encoder(tokens).pooled_BD for tokens in batch.passes])[list(batch.places)]
        texts = ids_of(batch.passes, batch.places)
        return self.loss(pair_scores(batch, self.loss.needs, CrossScores(self.cross, texts, pooled)))

    def scorer(self) -> CrossScorer:
        return CrossScorer(self.encoder, self.cross, self.search, self.recall_weight, self.threshold)

    @property
    def scored_with(self) -> dict[str, Any]:
        return {**super().scored_with, "recall_weight": self.recall_weight}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The encoder is not saved: its backbone and revision are."""
        super().on_save_checkpoint(checkpoint)
        self.leave_out_encoder(checkpoint)
