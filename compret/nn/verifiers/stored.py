"""A verifier as a file: its class and options as JSON, its weights as safetensors."""

from __future__ import annotations

import importlib
from typing import Any

from compret.nn.verifiers.base import Verifier
from compret.types import UserError


def describe(verifier: Verifier) -> dict[str, Any]:
    """Class and options, from which `build` makes the verifier again, without its weights."""
    kind = type(verifier)
    options = {k: describe(v) if isinstance(v, Verifier) else v for k, v in verifier.options.items()}
    return {"class_path": f"{kind.__module__}.{kind.__qualname__}", "init_args": options}


def build(description: dict[str, Any]) -> Verifier:
    """The verifier that was described.

    Raises:
        UserError: its class is not installed here, or does not take its options.
    """
    module, _, name = description["class_path"].rpartition(".")
    options = {
        k: build(v) if isinstance(v, dict) and "class_path" in v else v for k, v in description["init_args"].items()
    }
    try:
        kind = getattr(importlib.import_module(module), name)
        verifier: Verifier = kind(**options)
    except (ImportError, AttributeError, TypeError) as error:
        raise UserError(f"verifier {description['class_path']}: cannot be built ({error})") from error
    return verifier
