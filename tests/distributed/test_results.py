"""Two ranks test like one: the same rankings and scores to the last bit, each text encoded on one of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.processes import start

SCRIPT = Path(__file__).with_name("one_rank_tests.py")
TEXTS = [
    f"the {'very ' * (i % 7)}{a} {verb} the {b}"
    for i, (a, b) in enumerate((a, b) for a in ("dog", "cat", "bird", "man") for b in ("tree", "house", "river"))
    for verb in ("bit", "saw", "chased")
]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> dict[tuple[int, int], dict[str, Any]]:
    """(rank, ranks) -> case -> what that rank found."""
    folder = tmp_path_factory.mktemp("results")
    (folder / "tiny").symlink_to(tiny)
    (folder / "texts.json").write_text(json.dumps(TEXTS))
    runs = [start([sys.executable, SCRIPT, rank, folder], stderr=None) for rank in (0, 1)]
    assert [run.wait(timeout=500) for run in runs] == [0, 0]
    return {(r, n): json.loads((folder / f"{r}_{n}.json").read_text()) for r, n in ((0, 1), (0, 2), (1, 2))}


@pytest.mark.slow
@pytest.mark.parametrize(("case", "size"), [("few", 1), ("1", 1), ("2", 2), ("23", 23)])
@pytest.mark.parametrize("score", ["cosine", "verifier"])
def test_results_are_those_of_one_rank(
    results: dict[tuple[int, int], dict[str, Any]], score: str, case: str, size: int
) -> None:
    one, first, second = (results[key][f"{score} {case}"] for key in ((0, 1), (0, 2), (1, 2)))
    assert len(one["run"]) == len(one["scores"]) == size
    assert (one["recalled"] is None) == (score == "cosine")
    for name in ("run", "recalled", "scores"):
        assert first[name] == second[name] == one[name]


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 23])
@pytest.mark.parametrize("score", ["cosine", "verifier"])
def test_each_text_is_encoded_on_one_rank(
    results: dict[tuple[int, int], dict[str, Any]], score: str, size: int
) -> None:
    one, first, second = (results[key][f"{score} {size}"]["encoded"] for key in ((0, 1), (0, 2), (1, 2)))
    assert sum(first) + sum(second) == sum(one) == len(TEXTS) + 3 * size
    assert sorted(first + second) == sorted(one)
    assert min(sum(first), sum(second)) > len(TEXTS) / 4


@pytest.mark.slow
@pytest.mark.parametrize("score", ["cosine", "verifier"])
def test_a_rank_without_a_share_encodes_nothing(results: dict[tuple[int, int], dict[str, Any]], score: str) -> None:
    """Three documents, two of them equal; one query; two texts of a pair."""
    first, second = (results[key][f"{score} few"]["encoded"] for key in ((0, 2), (1, 2)))
    assert (sum(first), second) == (5, [])


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 5])
def test_ranks_agree_on_what_differing_graphs_find(results: dict[tuple[int, int], dict[str, Any]], size: int) -> None:
    """Otherwise a verifier's scores of one rank's documents would be given to those of another."""
    pytest.importorskip("faiss")
    first, second = (results[key][f"faiss {size}"] for key in ((0, 2), (1, 2)))
    assert len(first["large"]) == size
    assert first == second
    assert first["small"] == first["small exact"]
    is_exact = [near == exact for near, exact in zip(first["large"], first["large exact"], strict=True)]
    assert is_exact == [query % 2 == 0 for query in range(size)], "each rank is asked its share"
