"""DualEncoder: one vector a text, trained so that an anchor's positive is nearer than all other texts of the batch."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from compret.distributed import first_row, gather_rows, missing_calls
from compret.evaluation.approximate import Search
from compret.losses import InfoNCE, own_texts
from compret.nn.backbone import MINILM
from compret.nn.chunks import checked_size, encode_each, in_chunks, with_idle
from compret.nn.cpu import CPUKernels
from compret.nn.encoder import LoRA, TextEncoder
from compret.nn.pooling import Pooling
from compret.tasks.optimizer import AdamW, configure
from compret.tasks.suites import SuiteRunner
from compret.types import EvaluationSet, TripletBatch


class DualEncoder(SuiteRunner):
    """Trains and tests a text encoder by pooled cosine.

    Args:
        backbone: a folder (transformers or sentence-transformers) or a hub id, owner/name or owner/name@revision.
        max_length: tokens a text may have, special tokens included; the checkpoint's own if not given.
        pooling: mean, cls or lasttoken; the checkpoint's own if not given.
        query_prompt: put before each query; the checkpoint's own if not given.
        document_prompt: put before each document; the checkpoint's own if not given.
        dropout: probability for every dropout of the backbone; its own if not given.
        lora: train low-rank adapters in place of the weights.
        freeze: prefixes of parameter names that are not trained.
        gradient_checkpointing: recompute activations in the backward pass, to save memory.
        compile: torch.compile the backbone.
        cpu_kernels: on a CPU, those that this machine has measured to be faster than torch's; off for torch's alone.
        search: how documents are found when testing: exact, or faiss (approximate).
        chunk_size: texts whose activations are held at a time (GradCache); all of the batch's if not given.
        loss: InfoNCE's temperature and directions.
        optimizer: learning rate, decay and schedule.
    """

    def __init__(
        self,
        backbone: str = MINILM,
        max_length: int | None = None,
        pooling: Pooling | None = None,
        query_prompt: str | None = None,
        document_prompt: str | None = None,
        dropout: float | None = None,
        lora: LoRA | None = None,
        freeze: list[str] | None = None,
        gradient_checkpointing: bool = False,
        compile: bool = False,
        cpu_kernels: CPUKernels = "auto",
        search: Search = "exact",
        chunk_size: int | None = None,
        loss: InfoNCE = InfoNCE(),
        optimizer: AdamW = AdamW(),
    ) -> None:
        super().__init__()
        self.recipe = {
            "backbone": backbone,
            "max_length": max_length,
            "pooling": pooling,
            "query_prompt": query_prompt,
            "document_prompt": document_prompt,
            "lora": asdict(lora) if lora else None,
        }
        self.encoder = TextEncoder(
            backbone,
            max_length=max_length,
            pooling=pooling,
            query_prompt=query_prompt,
            document_prompt=document_prompt,
            dropout=dropout,
            lora=lora,
            freeze=freeze,
            gradient_checkpointing=gradient_checkpointing,
            compile=compile,
            cpu_kernels=cpu_kernels,
        )
        self.chunk_size, self.search = checked_size(chunk_size), search
        self.loss = loss
        self.optimizer = optimizer

    def configure_optimizers(self) -> Any:
        return configure([(self.encoder, self.optimizer)], int(self.trainer.estimated_stepping_batches))

    def training_step(self, batch: TripletBatch, batch_idx: int) -> Tensor:
        loss = self.contrast(batch)
        self.log("train_loss", loss.detach(), prog_bar=True, batch_size=len(batch))
        return loss

    def validation_step(self, batch: TripletBatch | EvaluationSet, batch_idx: int, dataloader_idx: int = 0) -> None:
        if isinstance(batch, TripletBatch):
            loss = self.contrast(batch)
            self.log("val_loss", loss, batch_size=len(batch), sync_dist=True, add_dataloader_idx=False, prog_bar=True)
        else:
            self.bench.run(batch)

    def contrast(self, batch: TripletBatch) -> Tensor:
        """The loss of this rank's anchors against the candidates of all ranks."""
        passes = in_chunks(batch.passes, self.chunk_size)
        passes = with_idle(passes, missing_calls(self.encoder, len(passes)))
        pooled = torch.cat(encode_each(lambda tokens: self.encoder(tokens).pooled_BD, passes, self.chunk_size))
        anchors_AD = gather_rows(pooled[batch.anchor_rows_B])
        roles = ((batch.positive_rows_B, batch.positive_keys_B), (batch.negative_rows_C, batch.negative_keys_C))
        candidates_CD = torch.cat([gather_rows(pooled[rows]) for rows, _ in roles])
        anchor_keys_A, *keys = (gather_rows(keys) for keys in (batch.anchor_keys_B, *(keys for _, keys in roles)))
        rows_B = first_row(batch.anchor_rows_B) + torch.arange(len(batch), device=pooled.device)
        duplicates_BC, duplicates_BA = (
            own_texts(batch.anchor_keys_B, batch.positive_keys_B, keys_C) for keys_C in (torch.cat(keys), anchor_keys_A)
        )
        return self.loss(anchors_AD, candidates_CD, rows_B, duplicates_BC, duplicates_BA)
