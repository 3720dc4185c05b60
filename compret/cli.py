"""The command line: LightningCLI with compret's models and data, its folders, and configs that are found by name."""

from __future__ import annotations

import errno
import logging
import os
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.exceptions import MisconfigurationException

import compret.tasks  # noqa: F401  classes are found by name among those that are loaded
from compret.callbacks.calibrate import Calibrate
from compret.callbacks.export import Export
from compret.callbacks.finite import FiniteLoss
from compret.callbacks.last_checkpoint import LastCheckpoint, WholeFiles
from compret.callbacks.monitors import Throughput
from compret.callbacks.requeue import Requeue, begun_before, mark
from compret.callbacks.resume import Resume
from compret.callbacks.terminate import Terminate
from compret.config_files import FindConfig, GivenFirst
from compret.data import NanoBEIR, NearMissPairs, NevIR, Suites, Texts, Triplets  # noqa: F401  found by name
from compret.distributed import check_cores, check_launch, disconnect, launch, slurm_job
from compret.folders import RunFolders, check_name, meant_checkpoint, next_version
from compret.nn.bf16 import tell_of_slow_bf16
from compret.options import OneLineParser, check_numbers
from compret.signals import LAUNCHER
from compret.tasks.base import SuiteRunner
from compret.tasks.checkpoint import READ_SHARDS, is_export, stored_model
from compret.types import UserError

DEFAULT_DATA = {
    "fit": "compret.data.Triplets",
    "validate": "compret.data.NanoBEIR",
    "test": "compret.data.NanoBEIR",
    "predict": "compret.data.Texts",
}
log = logging.getLogger(__name__)

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
_CKPT_PATH = (
    "A checkpoint file, the folder of a sharded one, or an export; last or best: that of the newest run of --name. "
    "Its options are the model's where neither the command line nor a config says otherwise."
)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_PATIENCE = 3.0
"""Seconds in which a launcher ends all ranks when the first one has failed."""
TRAINER_DEFAULTS = {"use_distributed_sampler": False, "num_sanity_val_steps": 0, "log_every_n_steps": 10}


def run(arguments: Sequence[str]) -> int:
    """Run one of fit, validate, test, predict as LightningCLI does; 0 when it went well.

    Raises:
        UserError: a mistake of the user's.
    """
    _quiet()
    try:
        CompretCLI(
            LightningModule,
            LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_callback=SaveConfig,
            trainer_defaults=TRAINER_DEFAULTS,
            seed_everything_default=42,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            parser_kwargs={"prog": "compret"},
            args=list(arguments),
        )
    except Exception as error:
        mistake = _users_mistake(error)
        if mistake is None:
            raise
        raise _told_once(mistake) from error
    disconnect()
    return 0


def _told_once(mistake: UserError) -> UserError:
    """Ranks make the same mistakes: what rank 0 has told, its launcher spares the others, which wait for that."""
    rank = launch().rank
    if rank == 0:
        return mistake
    time.sleep(_PATIENCE)
    return UserError(f"rank {rank}: {mistake}")


def _users_mistake(error: BaseException | None) -> UserError | None:
    """The mistake behind an error, if there is one: jsonargparse wraps what a class raises when it is built."""
    while error is not None and not (isinstance(error, UserError | MisconfigurationException) or _is_refused(error)):
        error = error.__cause__
    if isinstance(error, MisconfigurationException):
        return UserError(" ".join(str(error).split()))
    if isinstance(error, OSError):
        name, is_full = str(error.filename or "a file")[:300], error.errno in _FULL
        told = f"cannot be written ({error.strerror}); make space" if is_full else f"refused ({error.strerror})"
        return UserError(f"{name}: {told}")
    return error if isinstance(error, UserError) else None


def _is_refused(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in (*_FULL, errno.ENAMETOOLONG, errno.EACCES, errno.EROFS)


class SaveConfig(SaveConfigCallback):
    """config.yaml in the run's log folder; without a logger there is no such folder and nothing is written."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if trainer.logger is not None:
            super().setup(trainer, pl_module, stage)


class CompretCLI(LightningCLI):
    """LightningCLI that knows where runs go and reads a checkpoint's recipe beneath the user's options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        with RunFolders() as self.folders:
            super().__init__(*args, **kwargs)

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        parser = OneLineParser(**kwargs, allow_abbrev=False)
        parser.add_argument("-c", "--config", action=FindConfig, help="A config file, or the name of a shipped one.")
        return parser

    def _prepare_subcommand_parser(self, klass: type, subcommand: str, **kwargs: Any) -> LightningArgumentParser:
        parser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        parser.set_defaults({"name": subcommand, "data": {"class_path": DEFAULT_DATA[subcommand]}})
        if subcommand == "fit":
            parser.add_argument("--checkpoint_every", type=int, default=100, help="Steps between saves of last.ckpt.")
        if "verbose" in self._subcommand_method_arguments[subcommand]:
            parser.set_defaults({"verbose": False})
        next(action for action in parser._actions if action.dest == "ckpt_path").help = _CKPT_PATH
        return parser

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--name", type=str, help="Runs go to logs/NAME/VERSION and checkpoints/NAME/VERSION.")
        parser.add_argument(
            "--matmul_precision",
            type=Literal["highest", "high", "medium"],
            default="highest",
            help="Of float32 matrix products: highest is float32; high is TF32 on NVIDIA GPUs, and faster.",
        )
        parser.set_defaults({"model": {"class_path": "compret.tasks.DualEncoder"}})
        parser.link_arguments("seed_everything", "data.init_args.seed", compute_fn=_seed)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """What is typed wins over configs, they win over a checkpoint's recipe, and that over defaults (law 9).

        A recipe is not compared with the options afterwards: it is the parser's default where there is a checkpoint.
        """
        given, command = GivenFirst(args, ("ckpt_path", "name", "trainer.default_root_dir")), args[0]
        check_name(given["name"] or command)
        path = meant_checkpoint(
            given["ckpt_path"], Path(given["trainer.default_root_dir"] or "."), given["name"] or command
        )
        stored = self._stored(parser, given.arguments, path) if path else None
        if stored is not None:
            model = {"class_path": stored["class"], "init_args": stored["recipe"]}
            self._subcommand_parsers[command].set_defaults({"model": model})
        super().parse_arguments(parser, given.arguments)
        if stored is not None:
            self.config[command]["ckpt_path"] = str(path)
            self._take_class(stored)
        check_numbers(self.config[command])

    def _stored(self, parser: LightningArgumentParser, arguments: list[str], path: Path) -> dict[str, Any]:
        """Class and recipe of a checkpoint; a class of the user's is known once his options have been parsed."""
        is_resumed = arguments[0] == "fit"
        try:
            return stored_model(path, is_resumed)
        except UserError:
            with suppress(UserError):
                super().parse_arguments(parser, arguments)
            return stored_model(path, is_resumed)

    def _parse_ckpt_path(self) -> None:
        """Lightning's own rule, by which a checkpoint overrides the user, has no say."""

    def _take_class(self, stored: dict[str, Any]) -> None:
        """Any config with suites tests any checkpoint: the model is the checkpoint's, not the config's.

        Options that both have keep the user's values. Training goes on with what it began with.
        """
        command = self.config.subcommand
        model, name = self.config[command]["model"], stored["class"].rpartition(".")[2]
        if model.class_path.rpartition(".")[2] == name:
            return
        if command == "fit":
            raise UserError(
                f"--ckpt_path: a checkpoint of {name}, and the model is {model.class_path}; train that anew"
            )
        log.info("the checkpoint is of %s, and so is the model", name)
        shared = {k: v for k, v in model.init_args.as_dict().items() if k in stored["recipe"]}
        taken = {"class_path": stored["class"], "init_args": {**stored["recipe"], **shared}}
        self.config = self.parser.parse_object({command: {"model": taken}}, self.config)

    def before_instantiate_classes(self) -> None:
        torch.set_float32_matmul_precision(self._get(self.config, "matmul_precision"))

    def instantiate_classes(self) -> None:
        super().instantiate_classes()
        if isinstance(self.model, SuiteRunner):
            self.model.config_text = self._parser(self.subcommand).dump(self.config[self.subcommand], skip_none=False)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """The trainer with the run's folders, unless the user gave a logger of his own."""
        options = self._get(self.config_init, "trainer")
        root = Path(options.get("default_root_dir") or ".")
        name = self._get(self.config_init, "name")
        version = self._begun_before(root / "checkpoints" / name) or next_version(root, name)
        if options.get("logger") in (None, True):
            self.folders.make(root / "logs" / name / version)
            kwargs["logger"] = TensorBoardLogger(root / "logs", name=name, version=version)
        if (
            self.subcommand == "fit"
            and options.get("max_steps") == -1
            and not (options.get("max_epochs") or options.get("max_time"))
        ):
            kwargs["max_epochs"] = 1
            log.info("one epoch: neither trainer.max_steps, max_epochs nor max_time is given")
        kwargs["callbacks"] = [
            *(options.get("callbacks") or []),
            *self._callbacks(root / "checkpoints" / name / version),
        ]
        trainer = self._trainer(**kwargs)
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = WholeFiles()
        path = self._get(self.config_init, "ckpt_path")
        if path and is_export(Path(path)) and isinstance(trainer.strategy, READ_SHARDS):
            raise UserError(f"--ckpt_path {path}: an export is no shards; leave --trainer.strategy out")
        sharded = path and Path(path).is_dir() and not is_export(Path(path))
        if sharded and not isinstance(trainer.strategy, READ_SHARDS):
            raise UserError(
                f"--ckpt_path {path}: sharded, for --trainer.strategy fsdp; to make one file of it: "
                f"python -m lightning.pytorch.utilities.consolidate_checkpoint {path}"
            )
        return trainer

    def _begun_before(self, runs: Path) -> str | None:
        """The version that a restarted SLURM job goes on in, from its last.ckpt if it came that far."""
        folder = begun_before(runs) if self.subcommand == "fit" else None
        if folder is None:
            return None
        self.save_config_kwargs["overwrite"] = True
        if (folder / "last.ckpt").exists():
            self.config_init[self.subcommand]["ckpt_path"] = str(folder / "last.ckpt")
        log.info("the restarted SLURM job goes on in %s", folder)
        return folder.name

    def _trainer(self, **kwargs: Any) -> Trainer:
        """The trainer; options that contradict each other or the machine are the user's mistake."""
        try:
            trainer = super().instantiate_trainer(**kwargs)
        except (ValueError, RuntimeError) as error:
            raise UserError(" ".join(str(error).split())) from error
        check_launch(trainer.num_devices, trainer.num_nodes)
        if trainer.strategy.root_device.type == "cpu":
            check_cores(trainer.num_devices)
            if launch().rank == 0 and "bf16" in str(trainer.precision):
                tell_of_slow_bf16()
        if trainer.num_devices > 1 and not launch().by and os.environ.get("LOCAL_RANK", "0") == "0":
            os.environ[LAUNCHER] = str(os.getpid())  # for the ranks that Lightning will start
        return trainer

    def _callbacks(self, folder: Path) -> list[Callback]:
        """Checkpoints, monitors and the export when fitting; a bar that suits terminals and log files."""
        options = self._get(self.config_init, "trainer")
        given = options.get("callbacks") or []
        saves = self.subcommand == "fit" and options.get("enable_checkpointing") is not False
        extra: list[Callback] = [self.folders, Terminate(folder / "last.ckpt" if saves else None)]
        if options.get("enable_progress_bar") is not False:
            extra.append(TQDMProgressBar(refresh_rate=10))
        if self.subcommand == "fit" and options.get("logger") is not False:
            extra += [LearningRateMonitor("step"), Throughput()]
        if self.subcommand == "fit":
            extra += [Resume(), FiniteLoss()]
        if saves:
            self.folders.make(folder)
            mark(folder)
            if slurm_job():
                extra.append(Requeue(folder / "last.ckpt"))
            extra += [
                Calibrate(),
                Export(folder / "export"),
                LastCheckpoint(folder, self._get(self.config, "checkpoint_every")),
            ]
            if getattr(self.datamodule, "validation", None):
                extra.append(
                    ModelCheckpoint(
                        folder, filename="best", monitor="val_score", mode="max", enable_version_counter=False
                    )
                )
        return [callback for callback in extra if not any(isinstance(g, type(callback)) for g in given)]


def _seed(seed: bool | int) -> int:
    return 42 if isinstance(seed, bool) else seed


def _quiet() -> None:
    """compret's own log lines to the terminal; tips and warnings that its users cannot act on, away."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("compret").setLevel(logging.INFO if launch().rank == 0 else logging.WARNING)
    logging.getLogger("datasets").setLevel(logging.CRITICAL)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(lambda r: "💡 Tip" not in r.getMessage())
    for message in _NOT_THE_USERS:
        warnings.filterwarnings("ignore", message=message)
