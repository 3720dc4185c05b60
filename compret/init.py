"""`compret init`: a config of one's own, a shipped one with the user's files filled in."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from compret.atomic import atomic_path
from compret.files import local_path
from compret.own_files import held_out, is_embedded, share_held_out
from compret.plain_parser import PlainParser
from compret.recipes import recipes
from compret.types import UserError

_TAKES = {"Triplets": "files", "NearMissPairs": "files", "NanoBEIR": "source"}
"""Class of a config's data -> the option that names what is the user's."""


def init(arguments: Sequence[str]) -> int:
    """Write a config: a shipped one with files of yours in place of its own.

    Raises:
        UserError: no such config or file, a config that takes none, or a file where the new one should go.
    """
    parser = PlainParser(
        prog="compret init", description=init.__doc__.splitlines()[0] if init.__doc__ else "",
        epilog="Example: compret init encoder_structneg.yaml mine.jsonl --output mine.yaml",
    )  # fmt: skip
    parser.add_argument("config", help="one that compret ls lists")
    parser.add_argument("files", nargs="+", help="rows, labelled pairs, or a folder of BEIR directories")
    parser.add_argument("--output", type=Path, help="where it goes; the first file's name with .yaml if left out")
    parser.add_argument("--force", action="store_true", help="replace the file that is there")
    options = parser.parse_intermixed_args(arguments)
    if options.config not in recipes():
        raise UserError(f"{options.config}: no such config; compret ls lists them")
    for file in options.files:
        if not local_path(file).exists():
            raise UserError(f"{file}: no such file")
    to = options.output or Path(f"{local_path(options.files[0]).resolve().stem}.yaml")
    if local_path(str(to)).exists() and not options.force:
        raise UserError(f"{to}: there is a file already; give another --output, or --force")
    text = recipes()[options.config].read_text(encoding="utf-8")
    with atomic_path(to, "give another --output") as unfinished:
        unfinished.write_text(filled(text, options.config, options.files, to), encoding="utf-8")
    sys.stdout.write(f"wrote: {to}\nrun it: compret {_command(options.config, text)} --config {to}\n")
    return 0


def filled(text: str, config: str, files: Sequence[str], to: Path) -> str:
    """A config's text with its data and name replaced; comments outside of its data stay.

    Args:
        config: its name, which its comments give way to the new one's.
        to: where it goes, for the name of its runs.
    """
    content = yaml.safe_load(text)
    data = _own_data(config, content.get("data") or {}, files)
    lines = [line.replace(config, to.name) if line.startswith("#") else line for line in text.splitlines()]
    lines = [line.replace(f"/{content.get('name')}/", f"/{to.stem}/") if line[:1] == "#" else line for line in lines]
    lines = _replaced(lines, "name", [f"name: {to.stem}"])
    block = yaml.safe_dump({"data": data}, sort_keys=False, default_flow_style=None, width=120)
    made = f"# Made of {config} by compret init, with {', '.join(files)}; figures below are of the config's own data."
    return "\n".join([made, *_replaced(lines, "data", block.splitlines())]) + "\n"


def _own_data(config: str, data: Mapping[str, Any], files: Sequence[str]) -> dict[str, Any]:
    name = str(data.get("class_path", "")).rpartition(".")[2]
    if name not in _TAKES:
        known = ", ".join(_TAKES)
        raise UserError(f"{config}: its data is {name or 'left out'}; compret init fills in those of {known}")
    options = {key: value for key, value in (data.get("init_args") or {}).items() if key != "weights"}
    options[_TAKES[name]] = list(files) if _TAKES[name] == "files" else str(files[0])
    if name == "Triplets" and any(map(is_embedded, options.get("validation") or [])):
        options["holdout"] = share_held_out(files)
        options["validation"] = held_out(options.get("random_negatives", False))
    return {"class_path": data["class_path"], "init_args": options}


def _replaced(lines: Sequence[str], key: str, block: Sequence[str]) -> list[str]:
    """A top-level key and all that is indented below it, replaced."""
    start = next((i for i, line in enumerate(lines) if line.startswith(f"{key}:")), len(lines))
    below = (i for i in range(start + 1, len(lines)) if lines[i].strip() and lines[i][0] not in " #")
    return [*lines[:start], *block, *lines[next(below, len(lines)) :]]


def _command(config: str, text: str) -> str:
    """The command that a config's head shows first."""
    found = (line.split("compret ")[1].split()[0] for line in text.splitlines() if line.startswith("#   compret "))
    return next(found, "fit")
