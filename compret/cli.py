"""The command line: LightningCLI with compret's models and data, its folders, and configs that are found by name."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import torch
from jsonargparse import set_config_read_mode
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, SaveConfigCallback
from lightning.pytorch.loggers import TensorBoardLogger

import compret.tasks  # noqa: F401  classes are found by name among those that are loaded
from compret.callbacks.announce import Typed
from compret.callbacks.folders import RunFolders
from compret.callbacks.requeue import begun_before, mark
from compret.callbacks.saving import WholeFiles
from compret.callbacks.standard import Wanted, standard
from compret.commands import COMMANDS, DEFAULT_MODEL, TRAINER_DEFAULTS
from compret.compat_cli import OpenCLI
from compret.config_files import GivenFirst
from compret.data import HeldOut, NanoBEIR, NearMissPairs, NevIR, Suites, Texts, Triplets  # noqa: F401  so too
from compret.distributed import check_cores, check_launch, disconnect, launch
from compret.folders import check_name, meant_checkpoint, next_version
from compret.mistakes import told_once, users_mistake
from compret.nn.bf16 import tell_of_slow_bf16
from compret.options import FindConfig, OneLineParser, check_numbers
from compret.own_files import own_split
from compret.signals import LAUNCHER
from compret.signatures import given_classes
from compret.tasks.base import SuiteRunner
from compret.tasks.checkpoint import READ_SHARDS, is_export, stored_model
from compret.terminal import quiet
from compret.types import UserError

log = logging.getLogger(__name__)


def run(arguments: Sequence[str]) -> int:
    """Run one of fit, validate, test, predict as LightningCLI does; 0 when it went well.

    Raises:
        UserError: a mistake of the user's.
    """
    quiet()
    set_config_read_mode(urls_enabled=False, fsspec_enabled=False)  # a value that looks like a URL is no config
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
        mistake = users_mistake(error)
        if mistake is None:
            raise
        raise told_once(mistake) from error
    disconnect()
    return 0


class SaveConfig(SaveConfigCallback):
    """config.yaml in the run's log folder; without a logger there is no such folder and nothing is written."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if trainer.logger is not None:
            super().setup(trainer, pl_module, stage)


class CompretCLI(OpenCLI):
    """LightningCLI that knows where runs go and reads a checkpoint's recipe beneath the user's options."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        with RunFolders() as self.folders:
            super().__init__(*args, **kwargs)

    def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
        parser = OneLineParser(**kwargs, allow_abbrev=False)
        parser.add_argument("-c", "--config", action=FindConfig)
        return parser

    def finish_parser(self, parser: LightningArgumentParser, command: str) -> None:
        parser.set_defaults({"name": command, "data": {"class_path": COMMANDS[command].data}})
        if command == "fit":
            parser.add_argument("--checkpoint_every", type=int, default=100)
        if command in ("validate", "test"):
            parser.set_defaults({"verbose": False})

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--name", type=str)
        parser.add_argument("--matmul_precision", type=Literal["highest", "high", "medium"], default="highest")
        parser.set_defaults({"model": {"class_path": DEFAULT_MODEL}})
        parser.link_arguments("seed_everything", "data.init_args.seed", compute_fn=_seed)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """What is typed wins over configs, they win over a checkpoint's recipe, and that over defaults (law 9).

        A recipe is not compared with the options afterwards: it is the parser's default where there is a checkpoint.
        """
        given, command = GivenFirst(args, ("ckpt_path", "name", "trainer.default_root_dir")), args[0]
        check_name(given["name"] or command)
        self.given = given
        arguments = [*given.arguments, *(own_split(given) if command == "fit" else [])]
        root = Path(given["trainer.default_root_dir"] or ".")
        path = meant_checkpoint(given["ckpt_path"], root, given["name"] or command)
        stored = self._stored(parser, arguments, path) if path else None
        if stored is not None:
            model = {"class_path": stored["class"], "init_args": stored["recipe"]}
            self.set_defaults(command, {"model": model})
        elif classes := given_classes(given.tree(), DEFAULT_MODEL):
            with suppress(Exception):  # of which the parser tells what is wrong
                self.set_defaults(command, classes)
        super().parse_arguments(parser, arguments)
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
        torch.set_float32_matmul_precision(self.option("matmul_precision"))

    def instantiate_classes(self) -> None:
        super().instantiate_classes()
        if isinstance(self.model, SuiteRunner):
            self.model.config_text = self.resolved()

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """The trainer with the run's folders, unless the user gave a logger of his own."""
        options = self.built("trainer")
        root = Path(options.get("default_root_dir") or ".")
        name = self.built("name")
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
        kwargs["callbacks"] = [*_given(options), *self._callbacks(root / "checkpoints" / name / version)]
        trainer = self._trainer(**kwargs)
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = WholeFiles()
        path = self.built("ckpt_path")
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
        """The run's folders first, since what they note of its beginning holds for all that follow."""
        options = self.built("trainer")
        saves = self.subcommand == "fit" and options.get("enable_checkpointing") is not False
        if saves:
            self.folders.make(folder)
            mark(folder)
        words = tuple(f"--{name}" if value is None else f"--{name}={value}" for name, value in self.given.words)
        wanted = Wanted(
            Typed(self.given.command, words, self.built("name"), options.get("default_root_dir")),
            folder if saves else None,
            has_bar=options.get("enable_progress_bar") is not False,
            has_logger=options.get("logger") is not False,
            has_suites=bool(getattr(self.datamodule, "validation", None)),
            every=self.built("checkpoint_every") if saves else 0,
        )
        return [self.folders, *standard(wanted, _given(options))]


def _seed(seed: bool | int) -> int:
    return 42 if isinstance(seed, bool) else seed


def _given(options: Any) -> list[Callback]:
    """The user's callbacks; Lightning takes one without a list, too."""
    found = options.get("callbacks") or []
    return found if isinstance(found, list) else [found]
