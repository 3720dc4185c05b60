"""The shipped configs: where they lie, listed (`compret ls`) and copied (`compret cp`)."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from compret.atomic import atomic_path
from compret.plain_parser import PlainParser
from compret.types import UserError

_KINDS = (".yaml", ".sbatch")


def shipped_configs() -> list[Path]:
    """Where the configs lie: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    return [folder for folder in (package / "configs", package.parent / "configs") if folder.is_dir()]


def recipes() -> dict[str, Path]:
    """Name -> file of each shipped config and script, those of no folder first."""
    root = shipped_configs()[0]
    found = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.suffix in _KINDS}
    return dict(sorted(found.items(), key=lambda item: (item[0].count("/"), item[0])))


def ls(arguments: Sequence[str]) -> int:
    """List the shipped configs, each with its first line, which says what it is for."""
    _parser("ls", ls.__doc__, "compret ls | grep verifier").parse_args(arguments)
    known = recipes()
    width = max(map(len, known))
    for name, path in known.items():
        sys.stdout.write(f"{name:<{width}}  {_purpose(path)}\n")
    return 0


def cp(arguments: Sequence[str]) -> int:
    """Copy a shipped config or script, to change it; `--config` finds it in the working directory.

    Raises:
        UserError: there is no such config, or a file where the copy should go.
    """
    parser = _parser("cp", "Copy a shipped config or script, to change it.", "compret cp pydoc.yaml mine.yaml")
    parser.add_argument("name", help="one that compret ls lists")
    parser.add_argument("destination", nargs="?", default=".", help="a file or a folder; this one if left out")
    parser.add_argument("--force", action="store_true", help="replace the file that is there")
    options = parser.parse_args(arguments)
    if options.name not in recipes():
        raise UserError(f"{options.name}: no such config; compret ls lists them")
    to = Path(options.destination)
    if to.is_dir() or options.destination.endswith("/"):
        to /= Path(options.name).name
    if to.exists() and not options.force:
        raise UserError(f"{to}: there is a file already; give another name, or --force")
    with atomic_path(to, "give another name") as unfinished:
        shutil.copyfile(recipes()[options.name], unfinished)
    sys.stdout.write(f"{to}\n")
    return 0


def _parser(command: str, description: str | None, example: str) -> PlainParser:
    return PlainParser(prog=f"compret {command}", description=description, epilog=f"Example: {example}")


def _purpose(path: Path) -> str:
    """The sentence that a file opens with, or what its first line has of it."""
    lines = (line.lstrip("# ").rstrip(".:") for line in path.read_text(encoding="utf-8").splitlines())
    return next((line.split(". ")[0] for line in lines if line and not line.startswith("!")), "")
