"""A transformers model from its folder: code of nobody else's, all its weights and no others, finite ones."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from compret.files import Settings, reading
from compret.nn.backbone import DenseFolder
from compret.nn.pooling import Dense
from compret.nn.weights import Shapes, check_finite, load_tensors, no_larger_than, stored_shapes, weight_files
from compret.types import UserError

_BUFFERS = ("position_ids", "token_type_ids", "inv_freq", "masked_bias", "attn.bias")
"""What older files hold beside weights, and transformers computes."""


def load_transformer(folder: Path) -> tuple[Any, dict[str, Tensor]]:
    """The model in float32, and the weights of its own pooler, which it is built without where transformers allows.

    The pooler is used by nothing here: trained, it would have no gradient, which stops DDP. An export gets it back.
    Heads of other tasks in the file are left out too; anything else that model or file lacks is an error.

    Raises:
        UserError: the folder names code, or its files are not whole or do not fit each other.
    """
    from transformers import MODEL_MAPPING, AutoConfig
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    _check_config(folder)
    shapes = {name: (file, shape) for file in weight_files(folder) for name, shape in stored_shapes(file).items()}
    if not shapes:
        raise UserError(f"{folder}: no weights there (model.safetensors or pytorch_model.bin)")
    with reading(f"{folder}: no encoder can be read there"):
        config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
        kind: Any = MODEL_MAPPING[type(config)]
        options = {"add_pooling_layer": False} if "add_pooling_layer" in inspect.signature(kind).parameters else {}
        with no_larger_than({name: shape for name, (_, shape) in shapes.items()}, folder / "config.json"):
            model, told = kind.from_pretrained(
                str(folder), config=config, dtype=torch.float32, output_loading_info=True, **options
            )
    _check_names(folder, model, told)
    check_finite(model.state_dict(), folder)
    if getattr(model, "pooler", None) is not None:
        model.pooler.requires_grad_(False)
    return model, _pooler(told["unexpected_keys"], {name: file for name, (file, _) in shapes.items()})


def load_dense(source: DenseFolder) -> Dense:
    """A Dense module with its weights.

    Raises:
        UserError: they are missing, or those of another one.
    """
    files = weight_files(source.folder)
    shapes = {name: shape for file in files for name, shape in stored_shapes(file).items()}
    expected: Shapes = {"linear.weight": (source.outputs, source.inputs)}
    expected = {**expected, **({"linear.bias": (source.outputs,)} if source.bias else {})}
    if shapes != expected:
        raise UserError(f"{source.folder}: the weights are missing, or not those that its config.json describes")
    dense = Dense(source.inputs, source.outputs, source.bias, source.activation)
    tensors = {name: tensor for file in files for name, tensor in load_tensors(file).items()}
    check_finite(tensors, source.folder)
    dense.load_state_dict(tensors)
    return dense


def _check_config(folder: Path) -> None:
    """Refuse what makes transformers read or import anything but this folder's weights."""
    config = Settings.of(folder / "config.json")
    if (folder / "adapter_config.json").exists():
        raise UserError(f"{folder}: adapters without their backbone; merge them and save the whole model")
    for key, value in _all_entries(config.content):
        if key.endswith("_implementation") and "/" in str(value):
            raise UserError(f"{config.origin}: '{key}' names code from the hub, which is not run; leave it out")
        if key in ("quantization_config", "transformers_weights") and value is not None:
            raise UserError(f"{config.origin}: '{key}' is not supported; give the plain weights")


def _all_entries(content: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield key, value
            yield from _all_entries(value)


def _check_names(folder: Path, model: nn.Module, told: Mapping[str, Any]) -> None:
    """transformers gives random numbers to what a file lacks, and drops what it has too much, both without a word."""
    missing = sorted(name for name in told["missing_keys"] if not name.startswith("pooler."))
    if missing:
        raise UserError(
            f"{folder}: the weights lack {len(missing)} tensors of the model in config.json, such as {missing[0]}; "
            "give the folder as it was saved"
        )
    parts = {name for name, _ in model.named_children()}
    unused = [name for name in told["unexpected_keys"] if name.partition(".")[0] in parts]
    unused = sorted(name for name in unused if not name.endswith(_BUFFERS))
    if unused:
        raise UserError(
            f"{folder}: the weights hold {len(unused)} tensors that the model in config.json has no place for, such as "
            f"{unused[0]}; give the folder as it was saved"
        )


def _pooler(unused: Iterable[str], files: Mapping[str, Path]) -> dict[str, Tensor]:
    """The pooler's weights by their names in the model; in the file there may be a prefix before them."""
    names = [name for name in unused if name.startswith("pooler.")]
    stored = {theirs: ours for ours in names for theirs in files if f".{theirs}".endswith(f".{ours}")}
    return {
        ours: tensor
        for theirs, ours in stored.items()
        for tensor in load_tensors(files[theirs], {theirs: ours}).values()
    }
