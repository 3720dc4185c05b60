"""Imports point one way, as the design draws it; light commands and the report leave torch alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "compret"
LOWEST = {"types"}
ALLOWED = {
    "types": set(),
    "distributed": LOWEST,
    "nn": LOWEST | {"distributed"},
    "losses": LOWEST | {"distributed"},
    "metrics": LOWEST,
    "data": LOWEST | {"distributed", "nn", "metrics"},
    "evaluation": LOWEST | {"distributed", "nn", "metrics", "data"},
    "tasks": LOWEST | {"distributed", "nn", "losses", "metrics", "data", "evaluation"},
    "signals": set(),
    "callbacks": LOWEST | {"signals", "distributed", "data", "metrics", "evaluation", "tasks"},
    "options": LOWEST,
    "config_files": LOWEST,
    "folders": LOWEST | {"signals", "distributed"},
    "cli": LOWEST
    | {"options", "config_files", "folders", "signals", "distributed", "nn", "data", "tasks", "callbacks"},
    "report": LOWEST | {"metrics"},
    "__main__": LOWEST | {"cli", "report", "signals"},
}
"""Room -> the rooms that it may import; each may also import its own files."""
MODULES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Full names of the modules that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(str(node.module))
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    mine = room(path)
    if mine == "__init__":
        return
    others = {name.split(".")[1] for name in imported(path) if name.startswith("compret.")} - {mine}
    assert others <= ALLOWED[mine], f"{path.name} may not import {others - ALLOWED[mine]}"


@pytest.mark.parametrize("path", [p for p in MODULES if room(p) in ("nn", "losses", "metrics")], ids=lambda p: p.stem)
def test_arithmetic_knows_no_lightning(path: Path) -> None:
    assert not {name for name in imported(path) if name.split(".")[0] in ("lightning", "pytorch_lightning")}


@pytest.mark.parametrize("module", ["compret.__main__", "compret.signals", "compret.report.table", "compret.metrics"])
def test_light_modules_leave_torch_alone(module: str) -> None:
    code = f"import sys, {module}; sys.exit(sorted({{'torch', 'lightning', 'transformers'}} & set(sys.modules)) or 0)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_distributed_knows_ranks() -> None:
    for path in MODULES:
        if room(path) != "distributed":
            assert not {name for name in imported(path) if name.startswith("torch.distributed")}, path
