"""TextEncoder: a Hugging Face backbone with its pooling; token states, mask and pooled vector in one pass."""

from __future__ import annotations

import inspect
import logging
import re
from pathlib import Path
from typing import Any

import torch
from torch import nn

from compret.files import first_line
from compret.nn.backbone import MINILM, load_backbone, position_limit
from compret.nn.cpu import kernels, use_fast_dropout, use_onednn
from compret.nn.dropout import set_dropout
from compret.nn.encoder_options import EncoderOptions, LoRA
from compret.nn.flops import Size, transformer_size
from compret.nn.pooling import Dense, Pooling, pool
from compret.nn.pretrained import load_dense, load_transformer
from compret.nn.settings_files import EncoderSettings, write_settings
from compret.nn.tokenizer import TextTokenizer
from compret.types import Encoded, TokenBatch, UserError

log = logging.getLogger(__name__)


class TextEncoder(nn.Module):
    """Texts to token states and one pooled vector, with the settings of the checkpoint unless they are overridden.

    Args:
        backbone: a folder (transformers or sentence-transformers) or a hub id, owner/name or owner/name@revision.
        options: the others of `EncoderOptions`.

    Raises:
        UserError: the backbone cannot be read, or an option contradicts it.
    """

    def __init__(self, backbone: str = MINILM, **options: Any) -> None:
        super().__init__()
        self.options = given = EncoderOptions(backbone, **options)
        self.cpu_kernels = kernels("off" if given.compile else given.cpu_kernels)  # torch.compile brings its own
        source = load_backbone(backbone)
        self.name, self.revision, self.folder = source.name, source.revision, source.folder
        self.normalize, self.similarity = source.normalize, source.similarity
        self.has_verifier = source.has_verifier
        """The backbone is the export of a verifier, of which this is the encoder alone."""
        self.pooling: Pooling = given.pooling or source.pooling
        self.max_length = source.max_length if given.max_length is None else given.max_length
        self.most_tokens = position_limit(source.transformer)
        """The longest sequence that its positions can tell apart."""
        if not 2 <= self.max_length <= self.most_tokens:
            raise UserError(f"max_length {self.max_length}: {backbone} takes 2 to {self.most_tokens} tokens")
        query = source.query_prompt if given.query_prompt is None else given.query_prompt
        document = source.document_prompt if given.document_prompt is None else given.document_prompt
        self.tokenizer = TextTokenizer(source.transformer, self.max_length, {"query": query, "document": document})
        self.backbone, self._pooler = load_transformer(source.transformer)
        self.dense = torch.nn.ModuleList(map(load_dense, source.dense))
        self._check_sizes(source.transformer)
        # a decoder would keep keys and values for a next token
        has_cache = "use_cache" in inspect.signature(self.backbone.forward).parameters
        self._no_cache = {"use_cache": False} if has_cache else {}
        if given.dropout is not None:
            set_dropout(self.backbone, given.dropout)
        use_fast_dropout(self.backbone, self.cpu_kernels.faster)
        use_onednn(self.backbone, self.cpu_kernels.faster)
        if given.gradient_checkpointing:
            renamed = hasattr(self.backbone, "activation_checkpointing_enable")
            getattr(self.backbone, f"{'activation' if renamed else 'gradient'}_checkpointing_enable")()
        self._freeze(given.freeze or [])
        if given.lora is not None:
            self.backbone = _with_lora(self.backbone, given.lora)
            self.dense.requires_grad_(False)
        if given.compile:
            self.backbone.compile(dynamic=True)  # in place: parameters keep their names
        self.train()

    @property
    def width(self) -> int:
        """D, the width of token states and pooled vectors."""
        return int(self.backbone.config.hidden_size)

    @property
    def pooled_width(self) -> int:
        """Width of pooled vectors: D, unless a Dense module changes it."""
        return self.dense_layers[-1].outputs if self.dense_layers else self.width

    @property
    def dense_layers(self) -> list[Dense]:
        """What follows the pooling, in order."""
        return [layer for layer in self.dense if isinstance(layer, Dense)]

    @property
    def size(self) -> Size:
        """What its cost follows from."""
        return transformer_size(self.backbone)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def forward(self, batch: TokenBatch) -> Encoded:
        """One pass over `(B, M)` tokens; states keep the autocast type, the pooled vector is float32."""
        given = {"input_ids": batch.ids_BM, "attention_mask": batch.mask_BM}
        tokens_BMD = self.backbone(**given, **self._no_cache).last_hidden_state
        pooled_BD = pool(self.pooling, tokens_BMD, batch.mask_BM)
        for layer in self.dense:
            pooled_BD = layer(pooled_BD)
        return Encoded(tokens_BMD, batch.mask_BM, pooled_BD)

    def save(self, folder: Path) -> None:
        """Write a folder that `SentenceTransformer(folder)` loads with the same scores (adapters are merged)."""
        folder.mkdir(parents=True, exist_ok=True)
        model = _merged(self.backbone)
        model.save_pretrained(str(folder), state_dict={**model.state_dict(), **self._pooler}, safe_serialization=True)
        self.tokenizer.save(folder)
        write_settings(self._settings(), folder)

    def _settings(self) -> EncoderSettings:
        return EncoderSettings(
            width=self.width,
            pooling=self.pooling,
            max_length=self.max_length,
            prompts=self.tokenizer.prompts,
            dense_layers=self.dense_layers,
            normalize=self.normalize,
            similarity=self.similarity,
        )

    def _check_sizes(self, transformer: Path) -> None:
        known, rows = len(self.tokenizer.fast), self.backbone.get_input_embeddings().num_embeddings
        if known > rows:
            raise UserError(f"{transformer}: the tokenizer has {known} tokens, the model {rows}; they do not fit")
        width = self.width
        for layer in self.dense_layers:
            if layer.inputs != width:
                raise UserError(f"{self.folder}: a Dense module takes {layer.inputs} inputs, not {width}")
            width = layer.outputs

    def _freeze(self, prefixes: list[str]) -> None:
        for prefix in prefixes:
            frozen = [p for name, p in self.backbone.named_parameters() if (name + ".").startswith(prefix + ".")]
            if not frozen:
                some = ", ".join(dict.fromkeys(n.rsplit(".", 2)[0] for n, _ in self.backbone.named_parameters()))
                raise UserError(f"freeze: no parameter of {self.name} starts with '{prefix}'; there are {some[:300]}")
            for parameter in frozen:
                parameter.requires_grad_(False)


def _with_lora(model: Any, lora: LoRA) -> Any:
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise UserError("lora needs peft: pip install 'compret[lora]'") from error
    options = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=lora.targets)
    try:
        return get_peft_model(model, options)
    except (ValueError, re.error) as error:  # a text is a regular expression to peft
        raise UserError(f"model.lora.targets {lora.targets}: {first_line(error)}") from error


def _merged(model: Any) -> Any:
    """The plain transformer: adapters folded into a copy, the model itself untouched."""
    if not hasattr(model, "merge_and_unload"):
        return model
    import copy

    return copy.deepcopy(model).merge_and_unload()
