"""Announce: what a run is, when it begins; what it wrote and the commands that go on, when it has ended."""

from __future__ import annotations

import logging
import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from compret.callbacks.monitors import Throughput
from compret.evaluation.guard_files import is_known
from compret.tasks import DualEncoder, SimilarityMapVerifier

log = logging.getLogger(__name__)
_ELSEWHERE = "pydoc.yaml"
"""The config that tests a checkpoint whose own config names no suites: both questions, on the embedded data."""
_A_PAIR = ("The dog bit the man.", "The man bit the dog.")
_OF_A_START = ("ckpt_path", "trainer.max_steps", "trainer.max_epochs", "trainer.max_time")


@dataclass(frozen=True)
class Typed:
    """A command line, as far as the next one follows from it."""

    command: str
    words: tuple[str, ...]
    """The options as they were typed, one word each: `--name=mine`."""
    name: str
    root: str | None
    """`--trainer.default_root_dir`, if given."""

    def without(self, names: Sequence[str]) -> list[str]:
        """The options but those of some names."""
        return [word for word in self.words if word.lstrip("-").partition("=")[0] not in names]

    @property
    def configs(self) -> list[str]:
        return [word for word in self.words if word.startswith("--config=")]


class Announce(Callback):
    """One line at the start (model, device, precision, seed); at the end what was written, and the next commands.

    Args:
        typed: the command line.
        folder: the run's folder of checkpoints; None where none are written.
    """

    def __init__(self, typed: Typed, folder: Path | None) -> None:
        self.typed, self.folder = typed, folder
        self.first: int | None = None
        """The step that training began at, if it did."""

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin(trainer, pl_module)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin(trainer, pl_module)

    on_predict_start = on_test_start

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.state.fn == "validate":
            self._begin(trainer, pl_module)

    def _begin(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.begun, self.first = time.monotonic(), None
        if trainer.is_global_zero:
            log.info(about(trainer, pl_module))

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.first = trainer.global_step

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        if self.first is None:
            log.info("fit: nothing was trained")
            return
        steps, seconds = trainer.global_step - self.first, time.monotonic() - self.begun
        values = {name: float(value) for name, value in sorted(trainer.callback_metrics.items()) if "/" not in name}
        shown = [f"{name} {values[name]:.4g}" for name in ("train_loss", "val_loss", "val_score") if name in values]
        log.info("fit: %s", ", ".join([f"{steps} steps in {seconds:.0f} s", *_speed(trainer), *shown]))
        for line in self._after_fit(trainer, pl_module):
            log.info(line)

    def _after_fit(self, trainer: Trainer, module: LightningModule) -> list[str]:
        folder = self.folder
        if folder is None:
            return []
        written = [path for path in (folder / "last.ckpt", folder / "best.ckpt", folder / "export") if path.exists()]
        last = folder / "last.ckpt"
        if not last.exists():
            return [f"wrote: {path}" for path in written]
        test = self._test(last, bool(getattr(trainer.datamodule, "test", None)))  # type: ignore[attr-defined]
        next_ones = [f"test it: {test}", *_explain(folder, module), f"go on: {self._resume(trainer, last)}"]
        return [*(f"wrote: {path}" for path in written), *next_ones]

    def _test(self, checkpoint: Path, has_suites: bool) -> str:
        """The command that tests a checkpoint: on its config's suites, else on the embedded data."""
        configs = self.typed.configs if has_suites else []
        root = [f"--trainer.default_root_dir={self.typed.root}"] if self.typed.root else []
        words = [*(configs or [f"--config={_ELSEWHERE}"]), f"--name={self.typed.name}", *root]
        return _command("test", [*words, f"--ckpt_path={checkpoint}"])

    def _resume(self, trainer: Trainer, checkpoint: Path) -> str:
        """The same command from the last step on, for as long again."""
        steps, epochs = trainer.max_steps, trainer.max_epochs
        longer = f"--trainer.max_steps={2 * steps}" if steps > 0 else f"--trainer.max_epochs={2 * (epochs or 1)}"
        return _command("fit", [*self.typed.without(_OF_A_START), f"--ckpt_path={checkpoint}", longer])

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        folder = trainer.log_dir or trainer.default_root_dir
        if trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            log.info("compare it: %s", shlex.join(["compret", "report", str(folder)]) + " OTHER_RUN")

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if trainer.is_global_zero and outputs is not None:
            seconds = max(time.monotonic() - self.begun, 1e-9)
            told = "wrote: %s, %d vectors in the order of the lines of %s (%.0f s)"
            log.info(told, outputs, len(batch.content.texts), batch.content.path, seconds)


def _speed(trainer: Trainer) -> list[str]:
    """Texts a second, if they were counted; each rank has as many."""
    measured = (c.texts_per_second for c in trainer.callbacks if isinstance(c, Throughput))  # type: ignore[attr-defined]
    a_rank = " a rank" if trainer.world_size > 1 else ""
    return [f"{texts:,.0f} texts a second{a_rank}" for texts in measured if texts]


def _explain(folder: Path, module: LightningModule) -> list[str]:
    """The command that shows what an export sees in two texts, where it can be loaded by its files alone."""
    if not (folder / "export").exists() or not isinstance(module, DualEncoder | SimilarityMapVerifier):
        return []
    if isinstance(module, SimilarityMapVerifier) and not is_known(module.verifier):
        return []
    return [f"explain a pair: {shlex.join(['compret', 'explain', *_A_PAIR, '--model', str(folder / 'export')])}"]


def about(trainer: Trainer, module: LightningModule) -> str:
    """Model and size, device, precision and seed, in one line."""
    parameters = list(module.parameters())
    trained = sum(p.numel() for p in parameters if p.requires_grad) if trainer.state.fn == "fit" else 0
    size = f"{_millions(sum(p.numel() for p in parameters))} parameters" + (
        f", {_millions(trained)} of them trained" if trained else ""
    )
    device = trainer.strategy.root_device
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type} x {trainer.world_size}"
    return f"{type(module).__name__}: {size}; {where}, {trainer.precision}; seed {torch.initial_seed()}"


def _millions(number: int) -> str:
    return f"{number / 1e6:.1f} M" if number >= 1e5 else f"{number:,}"


def _command(command: str, words: Sequence[str]) -> str:
    """A command line as it is typed: `--name value`."""
    parts = [part for word in words for part in word.split("=", 1)]
    return shlex.join(["compret", command, *parts])
