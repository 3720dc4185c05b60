"""The notebooks run from their first cell to their last, at small size; in the repository they have no outputs."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture(autouse=True)
def as_in_a_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The kernel finds this checkout and its console script, and writes nothing into the home folder."""
    for name, value in {
        "PYTHONPATH": os.pathsep.join([str(FOLDER.parents[1]), os.environ.get("PYTHONPATH", "")]),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_PLATFORM_DIRS": "1",
        "OMP_NUM_THREADS": "1",
    }.items():
        monkeypatch.setenv(name, value)


def run(name: str, folder: Path) -> str:
    """All that the cells of a notebook printed or showed."""
    notebook = nbformat.read(FOLDER / name, as_version=4)
    NotebookClient(notebook, timeout=1200, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(text for output in outputs for text in _texts(output))


def _texts(output: Any) -> list[str]:
    data = output.get("data", {})
    shown = [data[kind] for kind in ("text/markdown", "text/plain") if kind in data][:1]
    return [output.get("text", ""), *shown, *(["<image>"] if "image/png" in data else [])]


def test_a_cache_is_audited(tiny: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPRET_MODEL", str(tiny))
    monkeypatch.setenv("COMPRET_PAIRS", str(pairs))
    said = run("cache_safety.ipynb", tmp_path)
    assert "24 pairs are tested, 24 calibrate: half of pairs" in said
    assert all(f"| {name} |" in said for name in ("all", "paraphrase", "order", "role-swap"))
    assert said.count("<image>") == 1
    assert len(re.findall(r"^at \S+: .* of near-misses accepted, .* of paraphrases lost$", said, re.MULTILINE)) == 2


@pytest.mark.full
def test_the_trade_off_is_reproduced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPRET_STEPS", "2")
    said = run("tradeoff.ipynb", tmp_path)
    report = [line for line in said.splitlines() if re.match(r"\| (untouched|baseline|structneg) +\|", line)]
    assert len(report) == 3
    assert said.count("<image>") == 1
    assert len(re.findall(r"^\| minimal_pairs \|", said, re.MULTILINE)) == 24


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_outputs_are_stripped_and_links_lead_somewhere(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    nbformat.validate(notebook)
    for cell in notebook["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        for link in re.findall(r"\]\(([^)#]+)", "".join(cell["source"])):
            assert (path.parent / link).is_file() or link.startswith("https://"), link


def test_both_notebooks_are_there() -> None:
    assert [path.name for path in NOTEBOOKS] == ["cache_safety.ipynb", "tradeoff.ipynb"]
