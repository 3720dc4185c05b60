"""Which systems belong together, and which of them the others are compared with."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from compret.report.collect import System
from compret.types import UserError

ROLES = ("untouched", "baseline", "structneg")
"""The paper's three, in its order: no training, without structural negatives (A), with them (B)."""


@dataclass(frozen=True)
class Family:
    """Systems of one backbone, and what else their names have in common."""

    name: str
    systems: tuple[System, ...]
    """By role, then those without one."""
    reference: System
    """What the others are compared with."""

    def label(self, system: System) -> str:
        """What a system is called within the family."""
        return role(system) or system.name

    def of(self, role_name: str) -> System | None:
        return next((system for system in self.systems if role(system) == role_name), None)


def families(systems: Sequence[System], baseline: str | None = None) -> list[Family]:
    """Group systems, and choose each family's reference: the one called so, or its baseline, untouched or first one.

    Args:
        baseline: a system's name, for all; or a part of names, such as untouched, for each family its own.

    Raises:
        UserError: no system is called so.
    """
    of_all = next((system for system in systems if system.name == baseline), None)
    if baseline and not of_all and not any(_has(system.name, baseline) for system in systems):
        raise UserError(
            f"--baseline {baseline}: no system is called so; there are {', '.join(s.name for s in systems)}"
        )
    grouped: dict[str, list[System]] = {}
    named = {str(system.meta.get("backbone")): family_name(system) for system in systems if role(system)}
    for system in systems:
        # one without a role belongs to those of its backbone that have one
        name = family_name(system) if role(system) else named.get(str(system.meta.get("backbone")), backbone(system))
        grouped.setdefault(name, []).append(system)
    made = []
    for name, members in grouped.items():
        ordered = tuple(sorted(members, key=_place))
        own = [s for word in (baseline, "baseline", "untouched") if word for s in ordered if _has(s.name, word)]
        made.append(Family(name, ordered, of_all or [*own, *ordered][0]))
    return made


def references(found: Sequence[Family]) -> Callable[[System], System]:
    """System -> what it is compared with."""
    known = {system.name: family.reference for family in found for system in family.systems}
    return lambda system: known[system.name]


def role(system: System) -> str | None:
    return next((word for word in ROLES if _has(system.name, word)), None)


def family_name(system: System) -> str:
    """The system's name without its role, or its backbone's where nothing is left."""
    return _without(system.name, role(system) or "") or backbone(system)


def backbone(system: System) -> str:
    return PurePosixPath(str(system.meta.get("backbone"))).name


def is_encoder(system: System) -> bool:
    """Whether pooled cosine is what scores."""
    return system.meta.get("verifier") is None


def _place(system: System) -> int:
    found = role(system)
    return ROLES.index(found) if found else len(ROLES)


def _has(name: str, word: str) -> bool:
    return _without(name, word) != name


def _without(name: str, word: str) -> str:
    if not word:
        return name
    return re.sub(rf"(^|[-_/.]){re.escape(word)}(?=$|[-_/.])", "", name, count=1).strip("-_/.")
