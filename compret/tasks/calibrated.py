"""A task that accepts or rejects pairs: its threshold belongs to the weights and scores that it was fitted on."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from compret.evaluation.bench import Bench
from compret.evaluation.guard_files import stored_calibration
from compret.evaluation.near_miss import NearMissSet
from compret.files import Settings
from compret.metrics.calibration import Calibration
from compret.tasks.base import CHECKPOINT_KEY, SuiteRunner
from compret.tasks.limits import check_share
from compret.types import TripletBatch

log = logging.getLogger(__name__)


class CalibratedRunner(SuiteRunner):
    """A SuiteRunner with a threshold, fitted on the validation's near-miss pairs (law 10).

    Args:
        false_accept_rate: share of near-misses that the calibrated threshold may accept.
    """

    def __init__(self, false_accept_rate: float) -> None:
        super().__init__()
        check_share("false_accept_rate", false_accept_rate)
        self.false_accept_rate = false_accept_rate
        self.calibration: Calibration | None = None

    @property
    def scored_with(self) -> dict[str, Any]:
        """What a pair's score follows from beside the weights."""
        return {
            "max_length": self.encoder.max_length,
            "pooling": self.encoder.pooling,
            "query_prompt": self.encoder.tokenizer.prompts["query"],
        }

    @property
    def threshold(self) -> float | None:
        return self.calibration.threshold if self.calibration else None

    def on_train_batch_start(self, batch: TripletBatch, batch_idx: int) -> None:
        """The weights are about to change, and a threshold belongs to those that it was fitted on (law 10)."""
        super().on_train_batch_start(batch, batch_idx)
        self.calibration = None

    def on_validation_epoch_end(self) -> None:
        """Calibrate on the validation pairs, where there are any."""
        super().on_validation_epoch_end()
        self.calibration = self.bench.calibration(self.false_accept_rate) or self.calibration

    def calibrate(self, validation: Iterable[NearMissSet]) -> None:
        """Fit the threshold of these weights on labelled pairs, which must be validation pairs."""
        training, bench = self.training, Bench(self.scorer())
        self.eval()
        for data in validation:
            bench.run(data)
        self.train(training)
        self.calibration = bench.calibration(self.false_accept_rate)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint[CHECKPOINT_KEY]["calibration"] = asdict(self.calibration) if self.calibration else None
        checkpoint[CHECKPOINT_KEY]["scored_with"] = self.scored_with

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        stored = Settings("the checkpoint", checkpoint.get(CHECKPOINT_KEY, {}))
        if calibration := stored_calibration(stored):
            recipe, scored_with = (stored.part(key, Settings(key, {})).content for key in ("recipe", "scored_with"))
            told = {name: recipe[name] for name in ("special_tokens", "recall_weight") if name in recipe}
            self._take_calibration(calibration, {**told, **scored_with})

    def _take_calibration(self, calibration: Calibration, scored_with: Mapping[str, Any]) -> None:
        """A threshold of other scores says nothing of these (law 10)."""
        ours = self.scored_with
        changed = [name for name in ours if scored_with.get(name, ours[name]) != ours[name]]
        if changed:
            log.warning("the checkpoint's threshold is of other scores and not used: %s changed", ", ".join(changed))
        else:
            self.calibration = calibration
