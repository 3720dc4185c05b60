"""HeldOut: what training leaves out becomes labelled pairs, of which none is trained on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compret.data import HeldOut, Triplets


def of(path: Path, rows: list[dict[str, str]], seed: int = 42, holdout: float = 0.3) -> tuple[HeldOut, Triplets]:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    suite = HeldOut()
    data = Triplets([str(path)], batch_size=2, holdout=holdout, validation=[suite], seed=seed)
    data.setup("fit")
    return suite, data


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_no_pair_is_of_a_row_that_is_trained_on(tmp_path: Path, seed: int) -> None:
    rows = [{"anchor": f"a {i}", "positive": f"p {i}", "negative": f"n {i}", "category": "swap"} for i in range(60)]
    suite, data = of(tmp_path / "rows.jsonl", rows, seed)
    (pairs,) = [suite.load(i) for i in range(len(suite.names()))]
    trained = {row["anchor"] for row in data.read([(0, int(n)) for n in data._train[0]])}
    assert pairs.name == "rows_held_out"
    assert not trained & set(pairs.anchors)
    assert trained | set(pairs.anchors) == {row["anchor"] for row in rows}
    expected = {(f"a {i}", f"{kind} {i}", label) for i in range(60) for kind, label in (("p", 1), ("n", 0))}
    found = set(zip(pairs.anchors, pairs.candidates, pairs.labels, strict=True))
    assert found == {pair for pair in expected if pair[0] in set(pairs.anchors)}
    assert set(pairs.categories) == {"swap"}


@pytest.mark.parametrize("kind", ["identity", "no negative"])
def test_rows_of_one_label_give_no_set(tmp_path: Path, kind: str) -> None:
    rows = [{"anchor": f"a {i}", "positive": f"a {i}" if kind == "identity" else f"p {i}"} for i in range(40)]
    if kind == "identity":
        rows = [{**row, "negative": f"n {i}"} for i, row in enumerate(rows)]
    suite, _ = of(tmp_path / "rows.jsonl", rows)
    assert suite.names() == suite.places() == []


def test_before_the_rows_are_read_it_is_empty() -> None:
    assert HeldOut().names() == []
