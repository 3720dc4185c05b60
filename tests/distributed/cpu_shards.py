"""Lightning's FSDP on processes without a GPU: torch's runs there, Lightning's wants a GPU's number."""

from __future__ import annotations

import torch
from lightning.pytorch.strategies import FSDPStrategy
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.distributed.fsdp.wrap import ModuleWrapPolicy
from transformers.models.bert.modeling_bert import BertLayer


class CPUShards(FSDPStrategy):
    """Cuts each layer of the tiny model on its own, as large layers are.

    For sharded checkpoints alone: whole ones end in a segmentation fault of torch 2.13 where there is no GPU.
    """

    def _setup_model(self, model: torch.nn.Module) -> FullyShardedDataParallel:
        settings = {**self.kwargs, "auto_wrap_policy": ModuleWrapPolicy({BertLayer})}
        return FullyShardedDataParallel(
            model, device_id=torch.device("cpu"), mixed_precision=self.mixed_precision_config, **settings
        )
