"""What is read of a class from its source is what jsonargparse finds by importing it, whatever others add to it."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest
from jsonargparse import ArgumentParser
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningArgumentParser

from compret.commands import COMMANDS, TRAINER
from compret.signatures import ROOMS, shipped, signature

CLASSES = [f"{room}.{name}" for room in ROOMS for name in shipped(room) if name not in ("Verifier", "PairLoss")]
"""But the abstract ones."""
NESTED = ["compret.tasks.optimizer.AdamW", "compret.nn.encoder_options.LoRA", "compret.losses.Contrast"]


def by_import(path: str) -> set[str]:
    module, _, name = path.rpartition(".")
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(getattr(import_module(module), name))
    return {key.split(".")[0] for key, _ in parser.get_defaults().items()}


@pytest.mark.parametrize("path", [*CLASSES, *NESTED])
def test_a_class_has_the_options_that_jsonargparse_finds(path: str) -> None:
    found = signature(path)
    assert found is not None
    assert {option.name for option in found.options} == by_import(path)


@pytest.mark.parametrize("path", [path for path in CLASSES if path.startswith(("compret.tasks", "compret.data"))])
def test_each_option_says_what_it_is(path: str) -> None:
    found = signature(path)
    assert found is not None
    assert not [option.name for option in found.options if not option.help]


def test_a_bare_name_is_a_class_of_one_of_the_rooms() -> None:
    for path in CLASSES:
        assert signature(path.rpartition(".")[2]) == signature(path)
    assert signature("NoSuchClass") is None


def test_the_trainers_options_are_lightnings() -> None:
    parser = LightningArgumentParser(exit_on_error=False)
    parser.add_lightning_class_args(Trainer, "trainer")
    found = signature(TRAINER)
    assert found is not None
    assert {option.name for option in found.options} == {key.split(".")[1] for key, _ in parser.get_defaults().items()}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_commands_own_options_are_its_parsers(command: str) -> None:
    from lightning.pytorch import LightningDataModule, LightningModule

    from compret.cli import CompretCLI

    known: dict[str, set[str]] = {}

    class Stopped(CompretCLI):
        def parse_arguments(self, parser: LightningArgumentParser, args: object) -> None:
            for name, below in self._subcommand_parsers.items():
                known[name] = {key.split(".")[0] for key, _ in below.get_defaults().items()}
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Stopped(
            LightningModule, LightningDataModule, subclass_mode_model=True, subclass_mode_data=True, args=[command],
            auto_configure_optimizers=False, load_from_checkpoint_support=False,
        )  # fmt: skip
    assert known[command] - {"model", "data", "trainer"} == set(COMMANDS[command].options) - {"print_config"}


def test_an_options_one_class_is_followed_and_a_union_is_not() -> None:
    encoder = signature("compret.tasks.DualEncoder")
    assert encoder is not None
    optimizer, pooling = encoder["optimizer"], encoder["pooling"]
    assert optimizer is not None
    assert pooling is not None
    assert getattr(encoder.class_of(optimizer), "name", "") == "AdamW"
    assert encoder.class_of(pooling) is None


def test_nothing_is_imported_for_it() -> None:
    code = f"import sys; from compret.signatures import signature; assert signature({TRAINER!r}); \
        sys.exit('lightning' in sys.modules or 'torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", " ".join(code.split())], check=True)
