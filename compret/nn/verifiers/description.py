"""A verifier as a file: its class and options as JSON, its weights as safetensors."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from compret.files import Settings, checked_file, reading
from compret.nn import verifiers
from compret.nn.verifiers.base import Verifier
from compret.nn.weights import check_finite, load_tensors, no_larger_than, stored_shapes
from compret.types import UserError

_DEEPEST = 8
_LARGEST = 1 << 12
"""Of a verifier's numbers: sizes of layers and maps, of which none needs memory before it is used."""


def describe(verifier: Verifier) -> dict[str, Any]:
    """Class and options, from which `build` makes the verifier again, without its weights."""
    options = {k: describe(v) if isinstance(v, Verifier) else v for k, v in verifier.options.items()}
    return {"class_path": _name(type(verifier)), "init_args": options}


def build(description: Settings, others: Sequence[type[Verifier]] = ()) -> Verifier:
    """The verifier that was described, without its weights. Nothing is imported: the description is data.

    Args:
        others: classes beside compret's own that may be built.

    Raises:
        UserError: its class is none of them, or does not take its options.
    """
    check_description(description, others)
    return _built(description, _known(others))


def load(description: Settings, weights: Path, others: Sequence[type[Verifier]] = ()) -> Verifier:
    """The verifier that was described, with its weights.

    Raises:
        UserError: as `build`; or the weights are cut off, not finite, or another verifier's.
    """
    shapes = stored_shapes(checked_file(weights))
    with torch.device("meta"), no_larger_than(shapes, description.origin):
        described = build(description, others).state_dict()
    if {name: tuple(tensor.shape) for name, tensor in described.items()} != shapes:
        raise UserError(f"{weights}: not the weights that {description.origin} describes")
    tensors = load_tensors(weights)
    check_finite(tensors, weights)
    verifier = build(description, others)
    with reading(f"{weights}: not the weights that {description.origin} describes"):
        verifier.load_state_dict(tensors)
    return verifier


def check_description(description: Settings, others: Sequence[type[Verifier]] = ()) -> None:
    """Refuse a description that names any class but compret's verifiers and the others, at any depth."""
    _check(description, _known(others), 0)


def loaded() -> list[type[Verifier]]:
    """Every class of verifiers that somebody has imported: a checkpoint may name those, since none is imported anew."""
    found, queue = [], [Verifier]
    while queue:
        queue += (subclasses := queue.pop().__subclasses__())
        found += subclasses
    return found


def _known(others: Sequence[type[Verifier]]) -> dict[str, type[Verifier]]:
    own = [kind for kind in vars(verifiers).values() if isinstance(kind, type) and issubclass(kind, Verifier)]
    return {_name(kind): kind for kind in (*own, *others) if kind is not Verifier}


def _check(description: Settings, known: Mapping[str, type[Verifier]], depth: int) -> None:
    path, options = description.text("class_path"), description.part("init_args", Settings(description.origin, {}))
    if path not in known:
        raise UserError(
            f"{description.origin}: {path[:80]!r} is no verifier of compret, and nothing else is imported; give the "
            "class of your own in Python (from_pretrained(verifiers=[...])) or as --model.verifier"
        )
    if depth > _DEEPEST:
        raise UserError(f"{description.origin}: verifiers in verifiers, more than {_DEEPEST} deep")
    _check_options(options, known[path])
    for part in _parts(options).values():
        _check(part, known, depth + 1)


def _check_options(options: Settings, kind: type[Verifier]) -> None:
    """Each option is of the kind that its default has, and no number is beyond all sense."""
    for name, parameter in inspect.signature(kind.__init__).parameters.items():
        value, default = options.content.get(name), parameter.default
        if isinstance(default, bool):
            options.flag(name, default)
        elif isinstance(default, str):
            options.text(name, default)
        elif isinstance(default, float):
            options.number(name, default)
        elif isinstance(default, int) or (default is None and not isinstance(value, Mapping)):
            options.whole(name, 0 if name == "band" else 1, default)
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, int | float) and number > _LARGEST:
                raise UserError(f"{options.origin}: '{name}' must be at most {_LARGEST}, not {str(number)[:20]}")


def _built(description: Settings, known: Mapping[str, type[Verifier]]) -> Verifier:
    path, options = description.text("class_path"), description.part("init_args", Settings(description.origin, {}))
    parts = {name: _built(part, known) for name, part in _parts(options).items()}
    try:
        with reading(f"{path} cannot be built"):
            return known[path](**{**options.content, **parts})
    except UserError as error:
        raise UserError(f"{description.origin}: {error}") from error


def _parts(options: Settings) -> dict[str, Settings]:
    """The options that are mappings: no verifier has any but other verifiers."""
    return {name: options.part(name) for name, value in options.content.items() if isinstance(value, Mapping)}


def _name(kind: type[Verifier]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
