"""What a run is called, and where its results lie: logs/NAME is its newest version that has any."""

from __future__ import annotations

from pathlib import Path

from compret.types import UserError

_VERSION = "version_"


def find_results(path: Path) -> Path:
    """The folder of a run's results.json.

    Args:
        path: that folder, the file in it, or logs/NAME, which means the newest version that has results.

    Raises:
        UserError: there is none below it.
    """
    if path.name == "results.json" or (path / "results.json").is_file():
        return path.parent if path.name == "results.json" else path
    found = list(path.glob(f"{_VERSION}*/results.json"))
    if not found:
        raise UserError(f"{path}: no results.json there or in a version below; compret test writes one")
    return max(found, key=lambda file: (file.stat().st_mtime_ns, file.parent.name)).parent


def run_name(folder: Path) -> str:
    """What a run is called by its folder: NAME for logs/NAME/version_0, NAME/1 for its version_1."""
    folder = folder.absolute()
    if not folder.name.startswith(_VERSION) or not folder.parent.name:
        return folder.name
    number = folder.name.removeprefix(_VERSION)
    return folder.parent.name if number == "0" else f"{folder.parent.name}/{number}"
