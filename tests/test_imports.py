"""Imports point one way, as the design draws it; light commands and the report leave torch alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "compret"
LOWEST = {"types", "files", "results_file"}
ALLOWED = {
    "types": set(),
    "files": {"types"},
    "results_file": {"types", "files"},
    "distributed": LOWEST,
    "nn": LOWEST | {"distributed"},
    "losses": LOWEST | {"distributed"},
    "metrics": LOWEST,
    "perturb": LOWEST,
    "data": LOWEST | {"distributed", "nn", "metrics", "perturb"},
    "evaluation": LOWEST | {"distributed", "nn", "metrics", "data"},
    "tasks": LOWEST | {"distributed", "nn", "losses", "metrics", "data", "evaluation"},
    "callbacks": LOWEST | {"distributed", "metrics", "data", "evaluation", "tasks"},
    "options": LOWEST,
    "cli": LOWEST | {"options", "distributed", "nn", "data", "tasks", "callbacks"},
    "report": LOWEST | {"metrics"},
    "perturb_command": LOWEST | {"perturb", "data", "evaluation"},
    "__main__": LOWEST | {"cli", "report", "perturb_command"},
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


@pytest.mark.parametrize(
    "module", ["compret.__main__", "compret.report.table", "compret.metrics", "compret.perturb_command"]
)
def test_light_modules_leave_torch_alone(module: str) -> None:
    code = f"import sys, {module}; sys.exit(sorted({{'torch', 'lightning', 'transformers'}} & set(sys.modules)) or 0)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_distributed_knows_ranks() -> None:
    for path in MODULES:
        if room(path) != "distributed":
            assert not {name for name in imported(path) if name.startswith("torch.distributed")}, path
