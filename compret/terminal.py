"""What reaches the terminal or a log file: compret's own lines, whole beside a bar, and no framework's tips."""

from __future__ import annotations

import logging
import sys
import warnings

from tqdm import tqdm

_NOT_THE_USERS = (
    ".*does not have many workers.*",
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*is smaller than the logging interval.*",
    "Total length of `list` across ranks is zero.*",
    ".*when using `ckpt_path`, callbacks used to create the checkpoint need to be provided.*",
    ".*isinstance.treespec, LeafSpec.* is deprecated.*",
    ".*is_gradient_checkpointing. is deprecated.*",
    "The dirpath has changed from .*",
    "Precision .* is not supported by the model summary.*",
    "It is recommended to use `self.log.*sync_dist=True.*",  # all ranks have the same results
    "LightningCLI's args parameter is intended to run from within Python.*",
)
_FRAMEWORKS = ("lightning.pytorch", "lightning.fabric")


class BesideBars(logging.Handler):
    """Writes each record as lines of its own: a progress bar steps aside for it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            tqdm.write(self.format(record), file=sys.stderr)
        except Exception:
            self.handleError(record)


def tell() -> logging.Handler:
    """compret's own log lines to the terminal; imports no torch."""
    handler = BesideBars()
    logging.basicConfig(format="%(message)s", level=logging.WARNING, handlers=[handler])
    logging.getLogger("compret").setLevel(logging.INFO)
    return handler


def quiet() -> None:
    """The same; and tips and warnings that its users cannot act on, and what other ranks than the first say, away."""
    from compret.distributed import launch

    handler = tell()
    if launch().rank > 0:
        logging.getLogger("compret").setLevel(logging.WARNING)
    logging.getLogger("datasets").setLevel(logging.CRITICAL)
    for name in _FRAMEWORKS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.WARNING)
    logging.getLogger("lightning.pytorch.callbacks.early_stopping").setLevel(logging.INFO)  # why a run ended
    for message in _NOT_THE_USERS:
        warnings.filterwarnings("ignore", message=message)
    _no_bars_of_files()


def _no_bars_of_files() -> None:
    """transformers draws a bar for each file that it reads or writes, also where no terminal is."""
    from transformers.utils import logging as of_transformers

    of_transformers.disable_progress_bar()
