"""Rows and texts: training triplets, retrieval sets, near-miss pairs, and how they are batched."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compret.data.held_out import HeldOut as HeldOut
    from compret.data.nano_beir import NanoBEIR as NanoBEIR
    from compret.data.near_miss import NearMissPairs as NearMissPairs
    from compret.data.nevir import NevIR as NevIR
    from compret.data.suites import Suites as Suites
    from compret.data.texts import Texts as Texts
    from compret.data.triplets import Triplets as Triplets

_MODULES = {
    "HeldOut": "held_out",
    "NanoBEIR": "nano_beir",
    "NearMissPairs": "near_miss",
    "NevIR": "nevir",
    "Suites": "suites",
    "Texts": "texts",
    "Triplets": "triplets",
}


def __getattr__(name: str) -> object:
    """The LightningDataModules, imported when they are asked for: the light commands read rows without torch."""
    if name not in _MODULES:
        raise AttributeError(f"module 'compret.data' has no attribute '{name}'")
    return getattr(import_module(f"compret.data.{_MODULES[name]}"), name)
