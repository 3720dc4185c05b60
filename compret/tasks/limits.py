"""Numbers that a model's options may have, each refused in one line that names the option."""

from __future__ import annotations

import math

from compret.types import UserError


def check_least(least: float, **options: float) -> None:
    """Refuse numbers below `least`, and such as are none or infinite."""
    for option, value in options.items():
        if not least <= value < math.inf:
            raise UserError(f"model.{option} {value}: at least {least:g}, and finite")


def check_share(option: str, value: float) -> None:
    """Refuse what is no share from 0 to below 1."""
    if not 0 <= value < 1:
        raise UserError(f"model.{option} {value}: a share from 0 to below 1")
