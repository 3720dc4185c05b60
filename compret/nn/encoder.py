"""TextEncoder: a Hugging Face backbone with its pooling; token states, mask and pooled vector in one pass."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from compret.nn.backbone import MINILM, Pooling, load_backbone, position_limit
from compret.nn.dropout import use_fast_dropout
from compret.nn.flops import Size, transformer_size
from compret.nn.linear import use_onednn
from compret.nn.tokenizer import TextTokenizer
from compret.types import Encoded, TokenBatch, UserError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoRA:
    """Low-rank adapters (Hu et al. 2021, arXiv 2106.09685) through peft; the export is merged."""

    rank: int = 16
    """Rank of each update."""
    alpha: int = 32
    """Updates are scaled by alpha / rank."""
    dropout: float = 0.0
    """Dropout before the adapters."""
    targets: str | list[str] = "all-linear"
    """Names of the layers that get an adapter."""

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise UserError(f"model.lora.rank {self.rank}: at least 1")
        if not 0 <= self.dropout < 1:
            raise UserError(f"model.lora.dropout {self.dropout}: a probability from 0 to below 1")


class TextEncoder(nn.Module):
    """Texts to token states and one pooled vector, with the settings of the checkpoint unless they are overridden.

    Args:
        backbone: a folder (transformers or sentence-transformers) or a hub id.
        max_length: tokens a text may have, special tokens included; the checkpoint's own if None.
        pooling: mean over the text's tokens, or the first token's state; the checkpoint's own if None.
        query_prompt: put before each query; the checkpoint's own if None.
        document_prompt: put before each document; the checkpoint's own if None.
        dropout: probability for every dropout of the backbone; its own if None.
        lora: train low-rank adapters in place of the weights.
        freeze: prefixes of parameter names that are not trained, such as `embeddings` or `encoder.layer.0`.
        gradient_checkpointing: recompute activations in the backward pass, to save memory.
        compile: torch.compile the backbone.

    Raises:
        UserError: the backbone cannot be read, or an option contradicts it.
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
    ) -> None:
        super().__init__()
        source = load_backbone(backbone)
        self.name, self.revision = source.name, source.revision
        self.pooling: Pooling = pooling or source.pooling
        self.max_length = source.max_length if max_length is None else max_length
        limit = position_limit(source.transformer)
        if not 2 <= self.max_length <= limit:
            raise UserError(f"max_length {self.max_length}: {backbone} takes 2 to {limit} tokens")
        query = source.query_prompt if query_prompt is None else query_prompt
        document = source.document_prompt if document_prompt is None else document_prompt
        self.tokenizer = TextTokenizer(source.transformer, self.max_length, {"query": query, "document": document})
        self.backbone = _load_model(source.transformer)
        use_fast_dropout(self.backbone, dropout)
        if not compile:  # which brings kernels of its own
            use_onednn(self.backbone)
        if gradient_checkpointing:
            renamed = hasattr(self.backbone, "activation_checkpointing_enable")
            getattr(self.backbone, f"{'activation' if renamed else 'gradient'}_checkpointing_enable")()
        self._freeze(freeze or [])
        if lora is not None:
            self.backbone = _with_lora(self.backbone, lora)
        if compile:
            self.backbone.compile(dynamic=True)  # in place: parameters keep their names
        self.train()

    @property
    def width(self) -> int:
        """D, the width of token states and pooled vectors."""
        return int(self.backbone.config.hidden_size)

    @property
    def size(self) -> Size:
        """What its cost follows from."""
        return transformer_size(self.backbone)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def forward(self, batch: TokenBatch) -> Encoded:
        """One pass over `(B, M)` tokens; states keep the autocast type, the pooled vector is float32."""
        tokens_BMD = self.backbone(input_ids=batch.ids_BM, attention_mask=batch.mask_BM).last_hidden_state
        pool = cls_pool if self.pooling == "cls" else mean_pool
        return Encoded(tokens_BMD, batch.mask_BM, pool(tokens_BMD, batch.mask_BM))

    def save(self, folder: Path) -> None:
        """Write a folder that `SentenceTransformer(folder)` loads with the same scores (adapters are merged)."""
        folder.mkdir(parents=True, exist_ok=True)
        model = _merged(self.backbone)
        model.save_pretrained(str(folder), safe_serialization=True)
        self.tokenizer.save(folder)
        for name, content in self._sentence_transformers_files().items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")

    def _sentence_transformers_files(self) -> dict[str, Any]:
        """The settings in the schema that every sentence-transformers since 2.0 reads."""
        kinds = [("", "Transformer"), ("1_Pooling", "Pooling")]
        modules = [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (path, kind) in enumerate(kinds)
        ]
        pooling = {
            "word_embedding_dimension": self.width,
            "pooling_mode_cls_token": self.pooling == "cls",
            "pooling_mode_mean_tokens": self.pooling == "mean",
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        }
        return {
            "modules.json": modules,
            "sentence_bert_config.json": {"max_seq_length": self.max_length, "do_lower_case": False},
            "1_Pooling/config.json": pooling,
            "config_sentence_transformers.json": {
                "prompts": dict(self.tokenizer.prompts),
                "default_prompt_name": None,
                "similarity_fn_name": "cosine",
            },
        }

    def _freeze(self, prefixes: list[str]) -> None:
        for prefix in prefixes:
            frozen = [p for name, p in self.backbone.named_parameters() if (name + ".").startswith(prefix + ".")]
            if not frozen:
                some = ", ".join(dict.fromkeys(n.rsplit(".", 2)[0] for n, _ in self.backbone.named_parameters()))
                raise UserError(f"freeze: no parameter of {self.name} starts with '{prefix}'; there are {some[:300]}")
            for parameter in frozen:
                parameter.requires_grad_(False)


def mean_pool(tokens_BMD: Tensor, mask_BM: Tensor) -> Tensor:
    """Mean over the text's own tokens, `(B, D)` float32."""
    mask_BM1 = mask_BM.unsqueeze(-1).to(torch.float32)
    return (tokens_BMD.float() * mask_BM1).sum(1) / mask_BM1.sum(1).clamp(min=1e-9)


def cls_pool(tokens_BMD: Tensor, mask_BM: Tensor) -> Tensor:
    """The first token's state, `(B, D)` float32."""
    return tokens_BMD[:, 0].float()


def _load_model(folder: Path) -> Any:
    """The backbone in float32, its own pooler frozen: a trained parameter without a gradient would stop DDP."""
    from transformers import AutoConfig, AutoModel
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        config = AutoConfig.from_pretrained(str(folder))
        model = AutoModel.from_pretrained(str(folder), config=config, dtype=torch.float32)
    except (OSError, ValueError, KeyError) as error:
        first = str(error).strip().splitlines()[0]
        raise UserError(f"{folder}: no encoder can be read there ({first})") from error
    if getattr(model, "pooler", None) is not None:
        model.pooler.requires_grad_(False)
    return model


def _with_lora(model: Any, lora: LoRA) -> Any:
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise UserError("lora needs peft: pip install 'compret[lora]'") from error
    return get_peft_model(
        model, LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=lora.targets)
    )


def _merged(model: Any) -> Any:
    """The plain transformer: adapters folded into a copy, the model itself untouched."""
    if not hasattr(model, "merge_and_unload"):
        return model
    import copy

    return copy.deepcopy(model).merge_and_unload()
