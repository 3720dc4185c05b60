"""What a run is called, and where its results lie: logs/NAME is its newest version that has any."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_VERSION = "version_"


def find_results(path: Path) -> Path:
    """Where a run's results.json is: the path as it is given, or the newest version below logs/NAME that has one."""
    with suppress(OSError):  # whoever reads the path says what is wrong with it
        found = [] if (path / "results.json").is_file() else list(path.glob(f"{_VERSION}*/results.json"))
        if found:
            return max(found, key=lambda file: (file.stat().st_mtime_ns, file.parent.name)).parent
    return path


def run_name(folder: Path) -> str:
    """What a run is called by its folder: NAME for logs/NAME/version_0, NAME/1 for its version_1."""
    folder = folder.absolute()
    if not folder.name.startswith(_VERSION) or not folder.parent.name:
        return folder.name
    number = folder.name.removeprefix(_VERSION)
    return folder.parent.name if number == "0" else f"{folder.parent.name}/{number}"
