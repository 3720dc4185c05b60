"""The expansion of a matrix: every cell once, each behind what it needs, and every mistake in one line."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from compret.experiment.matrix import Run, expand
from compret.recipes import shipped_configs
from compret.types import UserError

WORDS = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)
AXES = st.dictionaries(
    WORDS.filter(lambda word: word not in ("fit", "needs")),
    st.lists(st.one_of(WORDS, st.integers(0, 99)), min_size=1, max_size=3, unique_by=str),
    min_size=1,
    max_size=3,
)


def matrix(**block: Any) -> dict[str, Any]:
    return {"name": "mine", "matrix": {"test": {"config": "a.yaml"}, **block}}


def runs(content: Any, **values: Any) -> dict[str, Run]:
    return {run.name: run for run in expand(content, "m.yaml", values).runs}


@settings(max_examples=40, deadline=None)
@given(AXES)
def test_every_cell_is_there_once(axes: dict[str, list[Any]]) -> None:
    found = expand(matrix(axes=axes), "m.yaml").runs
    cells = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    assert [dict(run.axes) for run in found] == cells
    assert [run.name for run in found] == ["-".join(map(str, cell.values())) for cell in cells]


@settings(max_examples=40, deadline=None)
@given(AXES, st.data())
def test_what_is_excluded_is_gone_and_nothing_else(axes: dict[str, list[Any]], data: st.DataObject) -> None:
    axis = data.draw(st.sampled_from(sorted(axes)))
    gone = data.draw(st.lists(st.sampled_from(axes[axis]), max_size=len(axes[axis]) - 1, unique=True))
    left = expand(matrix(axes=axes, exclude=[{axis: gone}]), "m.yaml").runs
    assert [run for run in expand(matrix(axes=axes), "m.yaml").runs if run.axes[axis] not in gone] == list(left)


@settings(max_examples=40, deadline=None)
@given(AXES)
def test_texts_take_the_values_of_their_cell(axes: dict[str, list[Any]]) -> None:
    options = {axis: f"{{{axis}}}" for axis in axes} | {"all": " ".join(f"<{{{axis}}}>" for axis in axes)}
    for run in expand(matrix(axes=axes, test=options), "m.yaml").runs:
        filled = run.steps["test"].options
        assert {axis: filled[axis] for axis in axes} == run.axes
        assert filled["all"] == " ".join(f"<{run.axes[axis]}>" for axis in axes)


@settings(max_examples=40, deadline=None)
@given(AXES.filter(lambda axes: "seed" not in axes), st.lists(st.integers(0, 9), min_size=1, unique=True))
def test_a_system_is_a_run_without_its_seed(axes: dict[str, list[Any]], seeds: list[int]) -> None:
    found = expand(matrix(axes={**axes, "seed": seeds}), "m.yaml").runs
    by_system: dict[str, list[int]] = {}
    for run in found:
        by_system.setdefault(run.system, []).append(run.axes["seed"])
    assert set(by_system) == {run.name for run in expand(matrix(axes=axes), "m.yaml").runs}
    assert all(measured == seeds for measured in by_system.values())


def test_the_later_overlay_wins_and_configs_add_up() -> None:
    found = runs(
        matrix(
            axes={"system": {"a": None, "b": {"fit": {"config": ["c.yaml"], "model.lr": 2}}}},
            fit={"config": "f.yaml", "model": {"lr": 1, "loss": {"class_path": "X"}}},
        )
    )
    assert [found[name].steps["fit"].configs for name in "ab"] == [("f.yaml",), ("f.yaml", "c.yaml")]
    assert [found[name].steps["fit"].options["model.lr"] for name in "ab"] == [1, 2]
    assert found["a"].steps["fit"].options["model.loss"] == {"class_path": "X"}


def test_null_takes_a_step_away() -> None:
    found = runs(matrix(axes={"system": {"untouched": {"fit": None}, "trained": None}}, fit={"config": "f.yaml"}))
    assert [[*run.steps] for run in found.values()] == [["test"], ["fit", "test"]]


def test_blocks_stand_side_by_side_and_values_are_overridden() -> None:
    block = {"axes": {"x": [1]}, "run": "{x}-{of}", "test": {"data": "{of}/rows"}}
    content = {"name": "mine", "values": {"of": "here"}, "matrix": [block, {**block, "axes": {"x": [2]}}]}
    assert [*runs(content)] == ["1-here", "2-here"]
    assert [run.steps["test"].options["data"] for run in runs(content, of="there").values()] == ["there/rows"] * 2


def test_a_value_names_those_above_it() -> None:
    content = {**matrix(axes={"x": [1]}, test={"files": "{files}"}), "values": {"of": "a", "files": ["{of}/b"]}}
    assert runs(content)["1"].steps["test"].options["files"] == ["a/b"]
    assert runs(content, of="c")["1"].steps["test"].options["files"] == ["c/b"]


def test_a_run_stands_behind_what_it_needs() -> None:
    axes = {"system": {"late": {"needs": "base"}, "base": {"needs": None}}}
    found = runs(matrix(axes=axes, fit={"config": "f.yaml"}))
    assert [*found] == ["base", "late"]
    assert found["late"].needs == "base"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([], "m.yaml: must hold names and values"),
        ({"matrix": {}}, "'name' must be a text"),
        ({"name": "../x", "matrix": {}}, "a folder below logs"),
        ({"name": "x"}, "'matrix' must be a list of blocks"),
        ({"name": "x", "matrx": {}}, "'matrx': no such key; did you mean matrix?"),
        ({"name": "x", "matrix": []}, "no run; each axis needs a value"),
        (matrix(axes={"a": []}), "no run; each axis needs a value"),
        (matrix(axes={"a": [1]}, exclude=[{"a": 1}]), "no run; each axis needs a value"),
        (matrix(axes={"a": [1]}, exclude=[{"b": 1}]), "'exclude': 'b': no such axis; there are a"),
        (matrix(axes={"a": [1]}, exclude=[{"a": 2}]), "axis 'a' has no value 2"),
        (matrix(axes={"a": [1, "1"]}), "'a': has a value twice"),
        (matrix(axes={"a": [[1]]}), "[1] is no plain value"),
        (matrix(axes={"a": [1, 2]}, run="same"), "two runs are called 'same'"),
        (matrix(axes={"a": ["x/y"]}), "run 'x/y': a name without /"),
        (matrix(axes={"a": [1]}, fits={}), "'fits': no such key; did you mean fit?"),
        (matrix(axes={"a": {"x": {"tests": {}}}}), "'tests': no such key; did you mean test?"),
        (matrix(axes={"a": [1]}, test=None), "neither fit nor test"),
        (matrix(axes={"a": [1]}, test={"config": 1}), "'config' must be a config or a list"),
        (matrix(axes={"seed": [1]}, test={"x": "{sed}"}), "{sed}: no such axis or value; did you mean seed?"),
        (matrix(axes={"fit": [1]}), "axis 'fit' has the name of a value or of a place"),
        (matrix(axes={"a": [1]}, needs="2"), "run '1' needs '2', which is no run with a fit"),
        (matrix(axes={"a": [1]}, needs="1", fit={}), "needs itself"),
        ({**matrix(axes={"a": ["x"]}), "report": {"baseline": "y"}}, "'baseline': no such value"),
        ({**matrix(axes={"a": ["x"]}), "report": {"correct": "holm"}}, "'correct': no such key"),
    ],
)
def test_a_mistake_is_one_line(content: Any, told: str) -> None:
    with pytest.raises(UserError) as error:
        expand(content, "m.yaml")
    assert told in str(error.value)


def test_a_value_that_the_file_has_not_is_refused() -> None:
    with pytest.raises(UserError, match="--set dta: no such value; did you mean data"):
        expand({**matrix(axes={"a": [1]}), "values": {"data": "x"}}, "m.yaml", {"dta": 1})


MATRICES = sorted((shipped_configs()[-1] / "experiments").glob("*.yaml"))


@pytest.mark.parametrize("path", MATRICES, ids=lambda path: path.name)
def test_a_shipped_matrix_names_configs_that_there_are(path: Path) -> None:
    found = expand(yaml.safe_load(path.read_text(encoding="utf-8")), path.name)
    assert found.name == path.stem
    configs = {config for run in found.runs for step in run.steps.values() for config in step.configs}
    assert configs
    assert all((shipped_configs()[-1] / config).is_file() for config in configs)


def test_the_papers_matrix_is_the_papers() -> None:
    """PAPER.md: four backbones, A and B with three seeds, the untouched one once; eight verifiers with three seeds."""
    path = shipped_configs()[-1] / "experiments" / "paper.yaml"
    found = expand(yaml.safe_load(path.read_text(encoding="utf-8")), path.name).runs
    encoders = [run for run in found if "backbone" in run.axes]
    verifiers = [run for run in found if "verifier" in run.axes]
    assert len(found) == len(encoders) + len(verifiers)
    assert len(encoders) == 4 * (1 + 2 * 3)
    assert len(verifiers) == 8 * 3
    assert {run.axes["seed"] for run in found} == {42, 43, 44}
    assert [*{run.axes["seed"] for run in encoders if run.axes["system"] == "untouched"}] == [42]
