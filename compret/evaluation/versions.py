"""What numbers were made with: versions of Python and of the packages that they hang on."""

from __future__ import annotations

import platform
from importlib.metadata import version

_PACKAGES = ("compret", "torch", "lightning", "transformers", "tokenizers", "datasets", "ranx", "torchmetrics")


def versions() -> dict[str, str]:
    """Package -> version."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}
