"""`compret report`: the means it takes, the differences it shows and refuses, and what it says of other files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compret.metrics.stats import difference_interval
from compret.report.runs import read_run
from compret.report.table import table
from compret.types import UserError

CompretRun = Callable[..., tuple[int, str]]
Values = Mapping[str, float | None]


COLUMNS = [
    {
        **{"kind": "retrieval", "title": "retrieval nDCG@10", "metric": "ndcg@10"},
        **{"same": ["search", "ndcg_gain"], "by_query": True},
    },
    {"kind": "nearmiss", "title": "near-miss AUROC", "metric": "auroc", "same": [], "by_query": False},
]
"""As results.json names them."""


def write(
    folder: Path,
    retrieval: Values,
    nearmiss: Values,
    prints: Mapping[str, str] | None = None,
    gain: str = "binary",
    per_query: Mapping[str, list[float]] | None = None,
    **meta: Any,
) -> Path:
    """A test run's results.json; a set's fingerprint is its name's unless another is given."""
    folder.mkdir(parents=True)
    names = [*(name for name in retrieval if name != "mean"), *nearmiss]
    about = {name: {"score": "cosine", "fingerprint": (prints or {}).get(name, name)} for name in names}
    for name in retrieval:
        if name != "mean":
            about[name] |= {"suite": "BEIR", "ndcg_gain": gain}
    counts = {name: {"queries": 2, "dropped_queries": 0} for name in names}
    facts = {"max_length": 128, "search": "exact", "backbone": "b", **meta}
    stored = {
        "meta": {**facts, "data": about, "counts": counts, "columns": COLUMNS},
        "retrieval": {name: {"ndcg@10": value} for name, value in retrieval.items()},
        "nearmiss": {name: {"auroc": value} for name, value in nearmiss.items()},
        "timing": {name: {"encode": 1.0} for name in names},
    }
    (folder / "results.json").write_text(json.dumps(stored))
    for name, values in (per_query or {}).items():
        (folder / "per_query").mkdir(exist_ok=True)
        rows = [{"query": f"q{i}", "ndcg@10": value} for i, value in enumerate(values)]
        (folder / "per_query" / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def cells(runs: list[Path]) -> tuple[list[list[str]], list[str]]:
    """The table's rows below its heading, and the lines below it."""
    lines = table([read_run(f"r{i}={run}") for i, run in enumerate(runs)]).splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return rows[2:], [line for line in lines if line and not line.startswith("|")]


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    first = write(tmp_path / "a", {"x": 0.4, "y": 0.6, "mean": 0.5}, {"p": 0.5})
    return first, write(tmp_path / "b", {"x": 0.2, "y": 0.4, "mean": 0.3}, {"p": 0.7})


def test_means_are_over_the_datasets(runs: tuple[Path, Path]) -> None:
    assert [*read_run(str(runs[0])).values.values()] == pytest.approx([0.5, 0.5])
    assert [*read_run(f"named={runs[1] / 'results.json'}").values.values()] == pytest.approx([0.3, 0.7])


def test_folders_of_one_run_are_joined(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one", {"x": 0.4}, {}), write(tmp_path / "two", {}, {"p": 0.9})
    assert [*read_run(f"both={one},{two}").values.values()] == [0.4, 0.9]
    assert read_run(f"both={one},{two}").notes == ()
    assert read_run(str(one)).values == {"retrieval nDCG@10": 0.4}


def test_the_table_shows_differences_to_the_first_run(runs: tuple[Path, Path]) -> None:
    rows, _ = cells(list(runs))
    assert rows == [["r0", "0.500", "", "0.500", ""], ["r1", "0.300", "-0.200", "0.700", "+0.200"]]


def test_a_number_that_is_not_defined_is_told_and_other_sets_are_not_compared(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a", {}, {"p": 0.5, "q": None}), write(tmp_path / "b", {}, {"p": 0.7, "q": 0.9})
    rows, below = cells([first, second])
    assert rows == [["r0", "-", "", "0.500", ""], ["r1", "-", "", "0.800*", ""]]
    assert below == [
        "r0: near-miss AUROC is not defined on q, which is left out",
        "* r1, near-miss AUROC: also over q; r0 is the other",
    ]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"retrieval": {"x": 0.2}}, "without y"),
        ({"retrieval": {"x": 0.2, "y": 0.4, "z": 0.1}}, "also over z"),
        ({"retrieval": {"x": 0.2, "z": 0.4}}, "also over z; without y"),
        ({"prints": {"x": "another"}}, "also over x (other data of that name); without x (other data of that name)"),
        ({"max_length": 32}, "max_length 32, not 128"),
        ({"search": "faiss"}, "search faiss, not exact"),
        ({"gain": "graded"}, "ndcg_gain graded, not binary"),
    ],
)
def test_numbers_that_are_not_comparable_are_marked_and_not_compared(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    first = write(tmp_path / "a", {"x": 0.4, "y": 0.6}, {})
    second = write(tmp_path / "b", **{"retrieval": {"x": 0.2, "y": 0.4}, "nearmiss": {}, **changed})
    rows, below = cells([first, second])
    assert rows[1][1].endswith("*")
    assert rows[1][2] == ""
    assert rows[0][1] == "0.500"
    assert below == [f"* r1, retrieval nDCG@10: {said}; r0 is the other"]


def test_only_what_a_number_hangs_on_must_be_the_same(tmp_path: Path) -> None:
    """How documents are found is nothing to pairs; a file's name is nothing to its content."""
    first = write(tmp_path / "a", {}, {"p": 0.5}, search="faiss", backbone="c")
    second = write(tmp_path / "b", {}, {"copy of p": 0.7}, prints={"copy of p": "p"})
    rows, below = cells([first, second])
    assert (rows[1][3:], below) == (["0.700", "+0.200"], [])


def test_a_column_that_the_first_run_lacks_is_compared_with_the_next(tmp_path: Path) -> None:
    runs = [write(tmp_path / str(i), {"x": 0.4}, nearmiss) for i, nearmiss in enumerate(({}, {"p": 0.5}, {"q": 0.7}))]
    rows, below = cells(runs)
    assert [row[3] for row in rows] == ["-", "0.500", "0.700*"]
    assert "* r2, near-miss AUROC: also over q; without p; r1 is the other" in below


def test_a_set_that_is_named_twice_counts_once_and_is_told(tmp_path: Path) -> None:
    one = write(tmp_path / "one", {"x": 0.4, "y": 0.8}, {})
    two = write(tmp_path / "two", {"copy": 0.1}, {}, prints={"copy": "x"})
    run = read_run(f"run={one},{two},{one}")
    assert run.values["retrieval nDCG@10"] == pytest.approx(0.6)
    assert run.notes[0] == (
        f"run: retrieval nDCG@10: {two}/results.json has a set that stands there already: "
        "0.400 of x counts, 0.100 of copy does not"
    )
    assert len(run.notes) == 3


def test_results_of_different_models_are_told(tmp_path: Path) -> None:
    verifier = {"class_path": "V", "init_args": {}}
    one = write(tmp_path / "one", {"x": 0.4}, {}, verifier=verifier)
    two = write(tmp_path / "two", {}, {"p": 0.9}, backbone="c", verifier=verifier)
    assert read_run(f"run={one},{two}").notes == ("run: joins results of different models: backbone b and c",)


def test_a_retrieval_difference_has_an_interval_over_queries(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(40).tolist(), rng.random(40).tolist()
    runs = [
        write(tmp_path / name, {"x": float(np.mean(values))}, {}, per_query={"x": values})
        for name, values in (("a", a), ("b", b))
    ]
    low, high = difference_interval(b, a) or (0, 0)
    rows, below = cells(runs)
    assert rows[1][2] == f"{np.mean(b) - np.mean(a):+.3f} [{low:+.3f}, {high:+.3f}]"
    assert below == ["[low, high]: 95 % interval of the mean difference over queries, by bootstrap"]


def test_sets_weigh_the_same_in_an_interval_however_many_queries_they_have(tmp_path: Path) -> None:
    """All queries of a set differ by the same, so that only the mean over sets, .35, can lie in the middle."""
    big, small = [0.5] * 90, [0.2] * 10
    first = write(tmp_path / "a", {"x": 0.5, "y": 0.2}, {}, per_query={"x": big, "y": small})
    higher = {"x": [0.6] * 90, "y": [0.8] * 10}
    second = write(tmp_path / "b", {"x": 0.6, "y": 0.8}, {}, per_query=higher)
    difference, _, interval = cells([first, second])[0][1][2].partition(" ")
    low, high = (float(part) for part in interval.strip("[]").split(", "))
    assert float(difference) == 0.35
    assert low < 0.35 < high
    assert low > 0.15  # the unweighted mean over queries


@pytest.mark.parametrize("values", [None, [0.1]])
def test_without_the_same_queries_there_is_no_interval_and_a_line_says_why(
    tmp_path: Path, values: list[float] | None
) -> None:
    first = write(tmp_path / "a", {"x": 0.4}, {}, per_query={"x": [0.1, 0.7]})
    second = write(tmp_path / "b", {"x": 0.5}, {}, per_query={"x": values} if values else None)
    rows, below = cells([first, second])
    assert rows[1][2] == "+0.100"
    assert len(below) == 1
    assert below[0].startswith(f"r1: no interval ({second}/per_query/x.jsonl: ")


def test_the_figure_is_drawn(runs: tuple[Path, Path], compret: CompretRun, tmp_path: Path) -> None:
    code, said = compret("report", *runs, "--figure", tmp_path / "figure.png")
    assert code == 0, said
    assert (tmp_path / "figure.png").read_bytes()[:4] == b"\x89PNG"
    assert compret("report", *runs, "--figure", tmp_path / "none" / "figure.png")[0] == 2
    assert compret("report", *runs, "--figure", tmp_path / f"{'x' * 300}.png")[0] == 2


def test_a_figure_of_unequal_sets_is_refused(runs: tuple[Path, Path], compret: CompretRun, tmp_path: Path) -> None:
    other = write(tmp_path / "c", {"x": 0.2}, {"p": 0.7})
    code, said = compret("report", runs[0], other, "--figure", tmp_path / "figure.png")
    assert code == 2
    assert "compret: --figure: c is not comparable with a: without y" in said
    assert not (tmp_path / "figure.png").exists()


def test_other_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(UserError, match=r"other.json: 'meta': must hold names and values, not missing"):
        read_run(str(tmp_path / "other.json"))
    with pytest.raises(UserError, match=r"none: no such file"):
        read_run(str(tmp_path / "none"))


@pytest.mark.parametrize("given", ["x" * 300, "", ",", "=", "a=,b", "/dev/null", "/proc/self", "\0"])
def test_a_path_that_holds_no_results_is_one_line(compret: CompretRun, given: str) -> None:
    code, said = compret("report", given)
    told = [line for line in said.splitlines() if line.startswith("compret: ")]
    assert (code, len(told)) == (2, 1), said
    assert "Traceback" not in said


def test_a_name_that_the_terminal_cannot_write_is_written_as_it_can(
    runs: tuple[Path, Path], compret: CompretRun
) -> None:
    code, said = compret("report", f"r\udcff={runs[0]}")
    assert code == 0
    assert "r\\udcff" in said


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("x p ndcg@10 auroc meta".split()), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(part=st.sampled_from(["meta", "retrieval", "nearmiss", "timing"]), key=st.text(max_size=3), value=JSON)
def test_any_content_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, part: str, key: str, value: Any
) -> None:
    folder = write(tmp_path_factory.mktemp("any") / "run", {"x": 0.4}, {"p": 0.9})
    stored = json.loads((folder / "results.json").read_text())
    stored[part] = {**stored[part], key: value} if key else value
    (folder / "results.json").write_text(json.dumps(stored))
    refused = None
    try:
        said = table([read_run(str(folder))])
    except UserError as error:
        refused = str(error)
    assert refused is not None or "nan" not in said
    assert refused is None or ("\n" not in refused and str(folder / "results.json") in refused)
