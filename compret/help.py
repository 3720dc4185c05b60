"""Help pages of the commands that run a model, in a screen each, without importing one."""

from __future__ import annotations

import difflib
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from itertools import pairwise

from compret.commands import COMMANDS, DEFAULT_MODEL, TRAINER, TRAINER_DEFAULTS
from compret.signatures import ROOMS, Signature, shipped, signature
from compret.types import UserError

_WIDEST = 120
_RST = re.compile(r"\s*Default: (``[^`]*``|\d+)\.|``")
"""How Lightning writes defaults, which stand behind the meaning here."""
_KINDS = {"models": "compret.tasks", "data": "compret.data", "losses": "compret.losses", "verifiers": ROOMS[3]}
_NO_SUITES = ("HeldOut", "Triplets", "Texts")
_OF_NO_EFFECT = ("weights_only", "return_predictions", "verbose")
_NO_MODELS = ("AdamW", "PairLoss", "Verifier")


def is_asked(arguments: Sequence[str]) -> bool:
    return any(word in ("-h", "--help") or word.startswith("--help=") for word in arguments)


def show(arguments: Sequence[str]) -> int:
    """Write the page of a command, or of what is named behind --help: model, data, trainer, or a class.

    Raises:
        UserError: there is no page of that name.
    """
    command, words = arguments[0], list(arguments[1:])
    place = next(i for i, word in enumerate(words) if word in ("-h", "--help") or word.startswith("--help="))
    following = words[place].partition("=")[2] or "".join(words[place + 1 : place + 2])
    topic = following if following and not following.startswith("-") else ""
    width = min(_WIDEST, shutil.get_terminal_size().columns)
    sys.stdout.write("\n".join(_topic(command, topic, words, width) if topic else _page(command, width)) + "\n")
    return 0


def _page(command: str, width: int) -> Iterator[str]:
    """The first screen: what the command does, the options that people change, those of the run, and the way on."""
    of = COMMANDS[command]
    yield f"usage: compret {command} [--config FILE] [--OPTION VALUE ...]"
    yield ""
    yield from textwrap.wrap(of.purpose, width)
    yield from textwrap.wrap(of.example, width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    yield ""
    yield "what people change"
    for name, meaning in of.usual.items():
        yield from _told(f"--{name}", meaning, _default(command, name).strip("'"), width)
    yield ""
    yield "the run"
    for name, meaning in of.options.items():
        if name not in _OF_NO_EFFECT:
            yield from _told(f"--{name}", _first(meaning), "", width)
    yield ""
    if command in ("test", "validate"):
        yield from _suites(width)
        yield ""
    yield "all options with their defaults"
    yield f"  compret {command} --help model | data | trainer | CLASS"
    for kind in ("models", "data", "losses", "verifiers") if command == "fit" else ("models",):
        yield from _classes(kind, width)


def _classes(kind: str, width: int) -> list[str]:
    names = [name for name in shipped(_KINDS[kind]) if name not in _NO_MODELS]
    return textwrap.wrap(", ".join(names), width, initial_indent=f"  {kind:<10}", subsequent_indent=" " * 12)


def _topic(command: str, topic: str, words: Sequence[str], width: int) -> Iterator[str]:
    """All options of the model, of the data, of the trainer, or of one class."""
    prefix, found = _named(command, topic, words)
    if found is None:
        known = [name for room in ROOMS for name in shipped(room)]
        raise _no_page(topic, ["model", "data", "trainer", *known])
    yield f"{found.name}: {_first(found.purpose)}" if found.purpose else found.name
    yield ""
    for option in found.options:
        default = str(TRAINER_DEFAULTS.get(option.name, option.default)) if topic == "trainer" else option.default
        yield from _told(f"--{prefix}{option.name}", _RST.sub("", option.help), default, width)
        below = found.class_of(option)
        for nested in below.options if below else ():
            yield from _told(f"  --{prefix}{option.name}.{nested.name}", nested.help, nested.default, width)


def _no_page(topic: str, known: Sequence[str]) -> UserError:
    close = difflib.get_close_matches(topic, known, n=1)
    meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    return UserError(f"--help {topic}: no such page; {meant}")


def _suites(width: int) -> Iterator[str]:
    yield "suites, by --data NAME"
    for name in shipped("compret.data"):
        found = signature(name)
        if found is not None and name not in _NO_SUITES:
            yield from _told(name, _first(found.purpose), "", width)


def _named(command: str, topic: str, words: Sequence[str]) -> tuple[str, Signature | None]:
    """The prefix of a topic's options, and its class: the one that the command line names, else the default."""
    if topic == "trainer":
        return "trainer.", signature(TRAINER)
    if topic in ("model", "data"):
        named = [value for option, value in pairwise(words) if option == f"--{topic}"]
        default = DEFAULT_MODEL if topic == "model" else COMMANDS[command].data
        return f"{topic}.", signature(named[-1] if named else default)
    for prefix, room in (("model.", "compret.tasks"), ("data.", "compret.data")):
        if topic in shipped(room):
            return prefix, signature(topic)
    return ("model.loss." if topic in shipped("compret.losses") else "model.verifier."), signature(topic)


def _default(command: str, name: str) -> str:
    """An option's default by its full name, of the default classes; none where they have no such option."""
    topic, *path = name.split(".")
    _, found = _named(command, topic, [])
    option = None
    for part in path:
        option = found[part] if found else None
        found = found.class_of(option) if found and option else None
    return option.default if option and option.default != "-1" else ""


def _told(name: str, meaning: str, default: str, width: int) -> list[str]:
    """An option and its meaning side by side; its name alone on a line where it is long."""
    column = 26
    shown = f" [{default}]" if default and default != "None" else ""
    lines = textwrap.wrap(f"{meaning}{shown}", width - column - 2, break_on_hyphens=False) or [""]
    head = f"  {name}"
    if len(head) > column:
        return [head, *(" " * (column + 2) + line for line in lines)]
    return [f"{head:<{column + 2}}{lines[0]}".rstrip(), *(" " * (column + 2) + line for line in lines[1:])]


def _first(text: str) -> str:
    """The first sentence or part of a meaning."""
    return re.split(r"(?<! al)\. |; ", text)[0].rstrip(".")
