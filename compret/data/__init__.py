"""Rows and texts: training triplets, retrieval sets, near-miss pairs, and how they are batched."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compret.data.suites import NanoBEIR as NanoBEIR
    from compret.data.suites import NearMissPairs as NearMissPairs
    from compret.data.suites import NevIR as NevIR
    from compret.data.suites import Suites as Suites
    from compret.data.suites import Texts as Texts
    from compret.data.triplets import Triplets as Triplets

_SUITES = ("NanoBEIR", "NearMissPairs", "NevIR", "Suites", "Texts")


def __getattr__(name: str) -> object:
    """The LightningDataModules, imported when they are asked for: the light commands read rows without torch."""
    if name in _SUITES:
        return getattr(import_module("compret.data.suites"), name)
    if name == "Triplets":
        return import_module("compret.data.triplets").Triplets
    raise AttributeError(f"module 'compret.data' has no attribute '{name}'")
