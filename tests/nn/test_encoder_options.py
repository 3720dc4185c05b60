"""An encoder's options stand in one dataclass: tasks, help, parser and recipe have them from there, and all of them."""

from __future__ import annotations

from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

import pytest
from jsonargparse import ArgumentParser

from compret import tasks
from compret.files import Settings, check_fields
from compret.nn.encoder import TextEncoder
from compret.nn.encoder_options import OF_THE_MACHINE, EncoderOptions, LoRA
from compret.signatures import shipped, signature
from compret.tasks.base import SuiteRunner
from compret.types import UserError

OPTIONS = {field.name: field for field in fields(EncoderOptions)}
TASKS = [name for name in shipped("compret.tasks") if issubclass(getattr(tasks, name), SuiteRunner)]
OTHERS: dict[str, Any] = {
    "max_length": 16,
    "pooling": "cls",
    "query_prompt": "the ",
    "document_prompt": "a ",
    "dropout": 0.3,
    "lora": LoRA(rank=2),
    "freeze": ["embeddings"],
    "gradient_checkpointing": True,
    "compile": True,
    "cpu_kernels": "off",
}


def test_each_option_has_a_meaning_and_a_default() -> None:
    found = signature("compret.nn.EncoderOptions")
    assert found is not None
    assert [option.name for option in found.options] == list(OPTIONS)
    assert all(option.help and option.default for option in found.options)


@pytest.mark.parametrize("task", TASKS)
def test_a_task_takes_them_all_and_means_the_same_by_them(task: str) -> None:
    """In the help, whose reader imports nothing, and in the parser of the command line."""
    shown = signature("compret.nn.EncoderOptions")
    helped = signature(task)
    assert shown is not None
    assert helped is not None
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(getattr(tasks, task))
    defaults = parser.get_defaults()
    for option in shown.options:
        theirs = helped[option.name]
        assert theirs is not None, option.name
        assert (theirs.default, theirs.type) == (option.default, option.type)
        assert option.name == "backbone" or theirs.help == option.help
        assert OPTIONS[option.name].default is not MISSING
        assert defaults[option.name] == OPTIONS[option.name].default


@pytest.mark.parametrize("task", TASKS)
def test_a_recipe_holds_all_but_those_of_the_machine(task: str, tiny: Path) -> None:
    assert set(OTHERS) == set(OPTIONS) - {"backbone"}
    made = getattr(tasks, task)(backbone=str(tiny), **{**OTHERS, "compile": False})
    recipe = {name: value for name, value in made.recipe.items() if name in OPTIONS}
    assert set(recipe) == set(OPTIONS) - set(OF_THE_MACHINE)
    given = asdict(EncoderOptions(str(tiny), **OTHERS))
    assert recipe == {name: given[name] for name in recipe}
    check_fields(Settings("the recipe", made.recipe), EncoderOptions)


@pytest.mark.parametrize("name", [name for name in OPTIONS if name not in OF_THE_MACHINE])
def test_a_recipe_of_another_kind_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=rf"the recipe: '{name}'"):
        check_fields(Settings("the recipe", {name: [{"class_path": "os.system"}]}), EncoderOptions)


def test_an_option_that_there_is_not(tiny: Path) -> None:
    with pytest.raises(TypeError, match="max_lenght"):
        TextEncoder(str(tiny), max_lenght=8)
