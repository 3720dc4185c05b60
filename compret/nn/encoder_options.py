"""The options of an encoder: the one place that tasks, a checkpoint's recipe and the help take them from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from compret.nn.backbone import MINILM
from compret.nn.cpu import CPUKernels
from compret.nn.pooling import Pooling
from compret.types import UserError

_LARGEST_RANK = 1 << 16
OF_THE_MACHINE = ("gradient_checkpointing", "compile", "cpu_kernels")
"""Options that suit one machine and change no model: no recipe takes them to another."""


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
        if self.rank > _LARGEST_RANK:
            raise UserError(f"model.lora.rank {self.rank}: at most {_LARGEST_RANK:,}")
        if not 0 <= self.dropout < 1:
            raise UserError(f"model.lora.dropout {self.dropout}: a probability from 0 to below 1")


@dataclass(frozen=True)
class EncoderOptions:
    """What an encoder is built from; without a value, an option is as the backbone's folder has it."""

    backbone: str = MINILM
    """A folder (transformers or sentence-transformers) or a hub id, owner/name or owner/name@revision."""
    max_length: int | None = None
    """Tokens a text may have, special tokens included; the checkpoint's own if not given."""
    pooling: Pooling | None = None
    """Mean over the text's tokens, the first token's state (cls) or the last's; the checkpoint's own if not given."""
    query_prompt: str | None = None
    """Put before each query; the checkpoint's own if not given."""
    document_prompt: str | None = None
    """Put before each document; the checkpoint's own if not given."""
    dropout: float | None = None
    """Probability for every dropout of the backbone; its own if not given."""
    lora: LoRA | None = None
    """Train low-rank adapters in place of the encoder's weights."""
    freeze: list[str] | None = None
    """Prefixes of the backbone's parameter names that are not trained, such as embeddings or encoder.layer.0."""
    gradient_checkpointing: bool = False
    """Recompute the backbone's activations in the backward pass, to save memory."""
    compile: bool = False
    """torch.compile the backbone."""
    cpu_kernels: CPUKernels = "auto"
    """On a CPU, those that this machine has measured to be faster than torch's; off for torch's alone."""

    def __post_init__(self) -> None:
        if self.dropout is not None and not 0 <= self.dropout < 1:
            raise UserError(f"model.dropout {self.dropout}: a probability, from 0 to below 1")

    def recipe(self) -> dict[str, Any]:
        """What a checkpoint says of its encoder: plain values by option."""
        return {name: value for name, value in asdict(self).items() if name not in OF_THE_MACHINE}
