"""What stands beside an encoder's weights so that sentence-transformers gives the same vectors."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from compret.nn.pooling import Dense
from compret.types import Kind


@dataclass(frozen=True)
class EncoderSettings:
    """What an encoder's vectors follow from beside the weights of its backbone."""

    width: int
    pooling: str
    max_length: int
    prompts: Mapping[Kind, str]
    dense_layers: Sequence[Dense]
    """What follows the pooling, in order."""
    normalize: bool
    similarity: str
    """By which it was trained: cosine or dot."""


def write_settings(encoder: EncoderSettings, folder: Path) -> None:
    """Modules, pooling, length and prompts in the schema that every sentence-transformers since 2.0 reads.

    A Dense module's weights are safetensors, which it reads since 2.3.
    """
    for name, content in _files(encoder).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    for name, layer in zip(_dense_folders(encoder), encoder.dense_layers, strict=True):
        save_file({k: v.contiguous().cpu() for k, v in layer.state_dict().items()}, folder / name / "model.safetensors")


def _files(encoder: EncoderSettings) -> dict[str, Any]:
    last = [f"{2 + len(encoder.dense_layers)}_Normalize"] if encoder.normalize else []
    paths = ["", "1_Pooling", *_dense_folders(encoder), *last]
    modules = [
        {
            "idx": i,
            "name": str(i),
            "path": path,
            "type": f"sentence_transformers.models.{path.partition('_')[2] or 'Transformer'}",
        }
        for i, path in enumerate(paths)
    ]
    pooling = {
        "word_embedding_dimension": encoder.width,
        "pooling_mode_cls_token": encoder.pooling == "cls",
        "pooling_mode_mean_tokens": encoder.pooling == "mean",
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
        **({"pooling_mode_lasttoken": True} if encoder.pooling == "lasttoken" else {}),
    }
    dense = {
        f"{path}/config.json": {
            "in_features": layer.inputs,
            "out_features": layer.outputs,
            "bias": layer.bias,
            "activation_function": layer.activation_name,
        }
        for path, layer in zip(_dense_folders(encoder), encoder.dense_layers, strict=True)
    }
    return {
        "modules.json": modules,
        "sentence_bert_config.json": {"max_seq_length": encoder.max_length, "do_lower_case": False},
        "1_Pooling/config.json": pooling,
        **dense,
        "config_sentence_transformers.json": {
            "prompts": dict(encoder.prompts),
            "default_prompt_name": None,
            # by which it was trained; where vectors have norm 1 the two are one
            "similarity_fn_name": "dot" if encoder.similarity == "dot" and encoder.normalize else "cosine",
        },
    }


def _dense_folders(encoder: EncoderSettings) -> list[str]:
    return [f"{2 + i}_Dense" for i in range(len(encoder.dense_layers))]
