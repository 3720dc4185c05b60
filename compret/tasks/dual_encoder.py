"""DualEncoder: one vector a text, trained so that an anchor's positive is nearer than all other texts of the batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from compret.distributed import missing_calls
from compret.evaluation.approximate import Search
from compret.losses import Contrast, Loss
from compret.nn.backbone import MINILM
from compret.nn.chunks import checked_size, encode_each, in_chunks, with_idle
from compret.nn.cosines import Cosines
from compret.nn.encoder import TextEncoder
from compret.tasks.base import SuiteRunner
from compret.tasks.batch_scores import pair_scores
from compret.tasks.optimizer import AdamW
from compret.types import TripletBatch


class DualEncoder(SuiteRunner):
    """Trains and tests a text encoder by pooled cosine.

    Args:
        backbone: a folder (transformers or sentence-transformers) or a hub id, owner/name or owner/name@revision.
        search: how documents are found when testing: exact, or faiss (approximate).
        chunk_size: texts whose activations are held at a time (GradCache); all of the batch's if not given.
        loss: of the cosines of a batch's pairs.
        optimizer: learning rate, decay and schedule.
        options: the others of the encoder, `EncoderOptions`.
    """

    def __init__(
        self,
        backbone: str = MINILM,
        search: Search = "exact",
        chunk_size: int | None = None,
        loss: Loss = Contrast(temperature=0.05),
        optimizer: AdamW = AdamW(),
        **options: Any,
    ) -> None:
        super().__init__()
        self.encoder = TextEncoder(backbone, **options)
        self.recipe = self.encoder.options.recipe()
        self.chunk_size, self.search = checked_size(chunk_size), search
        self.loss = loss
        self.optimizer = optimizer

    def configure_optimizers(self) -> Any:
        return self.optimised((self.encoder, self.optimizer))

    def training_step(self, batch: TripletBatch, batch_idx: int) -> Tensor:
        loss = self.batch_loss(batch)
        self.log("train_loss", loss.detach(), prog_bar=True, batch_size=len(batch))
        return loss

    def batch_loss(self, batch: TripletBatch) -> Tensor:
        """The loss of this rank's rows, whose candidates are those of all ranks."""
        passes = in_chunks(batch.passes, self.chunk_size)
        passes = with_idle(passes, missing_calls(self.encoder, len(passes)))
        pooled = torch.cat(encode_each(lambda tokens: self.encoder(tokens).pooled_BD, passes, self.chunk_size))
        places = torch.cat([batch.anchor_rows_B, batch.positive_rows_P, batch.negative_rows_C])
        return self.loss(pair_scores(batch, self.loss.needs, Cosines(pooled[places])))
