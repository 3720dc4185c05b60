"""Calibrate: at the end of a fit the threshold is fitted anew, on the weights that are saved and exported."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from compret.evaluation.near_miss import NearMissSet
from compret.metrics.calibration import Calibration

log = logging.getLogger(__name__)


class Calibrate(Callback):
    """Fits a verifier's threshold on the validation's near-miss pairs where none was fitted on the last weights.

    It stands before the callbacks that save the last weights. Nothing happens without near-miss validation pairs, or
    where validation is turned off (`trainer.limit_val_batches: 0`).
    """

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        module: Any = pl_module
        if not hasattr(module, "calibrate") or trainer.fast_dev_run or trainer.limit_val_batches == 0:  # type: ignore[attr-defined]
            return
        if module.calibration is None:
            module.calibrate(_pairs(trainer))
        if module.calibration is not None:
            _tell(module.calibration)


def _pairs(trainer: Trainer) -> Iterator[NearMissSet]:
    """The near-miss sets of the data's validation suites, read when their turn comes."""
    suites = getattr(trainer.datamodule, "validation", [])  # type: ignore[attr-defined]
    return (s.load(i) for s in suites if s.holds is NearMissSet for i in range(len(s.names())))


def _tell(calibration: Calibration) -> None:
    rate, auroc = calibration.false_accept_rate, calibration.validation_auroc
    log.info("threshold %.4f: accepts at most %g of the validation near-misses", calibration.threshold, rate)
    if auroc is not None and auroc <= 0.5:
        log.warning("the scores do not tell near-misses from paraphrases (AUROC %.3f): no threshold helps", auroc)
