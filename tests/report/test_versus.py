"""`compret report A B --test`: its numbers by other means, its refusals, and what changed most."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import stats as scipy_stats
from sklearn.metrics import roc_auc_score

from compret.report.cells import Table
from compret.report.versus import Versus, versus
from compret.types import UserError

Made = Callable[..., Path]


def rows(table: Table) -> list[dict[str, float | str | None]]:
    keys = [*table.headings[:2], "first", "second", *table.headings[4:]]
    return [dict(zip(keys, (c.value if c.text == "" else c.text for c in row), strict=True)) for row in table.rows]


def values(run: Path, name: str) -> np.ndarray:
    lines = (run / "version_0" / "per_query" / f"{name}.jsonl").read_text().splitlines()
    return np.array([json.loads(line)["ndcg@10"] for line in lines])


def scores(run: Path) -> tuple[np.ndarray, np.ndarray]:
    found = [json.loads(line) for line in (run / "version_0" / "scores" / "pairs.jsonl").read_text().splitlines()]
    return np.array([row["score"] for row in found]), np.array([row["label"] for row in found])


def auroc(labels: np.ndarray, scores: np.ndarray) -> float:
    true, false = scores[labels == 1][:, None], scores[labels == 0]
    return float(((true > false) + 0.5 * (true == false)).mean())


@pytest.fixture
def two(made: Made) -> tuple[Path, Path]:
    return made("a", quality=0.5, separation=0.3), made("b", quality=0.53, separation=0.6)


def compared(two: tuple[Path, Path]) -> Versus:
    return versus([str(run) for run in two])


def test_a_retrieval_sets_row_is_scipys(two: tuple[Path, Path]) -> None:
    row = next(row for row in rows(compared(two).tables[0]) if row["set"] == "NanoNQ")
    difference = values(two[1], "NanoNQ") - values(two[0], "NanoNQ")
    p = scipy_stats.permutation_test(
        (difference,), np.mean, permutation_type="samples", vectorized=True, n_resamples=9_999, rng=1
    ).pvalue
    interval = scipy_stats.bootstrap((difference,), np.mean, method="percentile", rng=1).confidence_interval
    assert row["difference"] == pytest.approx(difference.mean())
    assert row["p"] == pytest.approx(p, abs=0.02)
    assert (row["low"], row["high"]) == pytest.approx(tuple(interval), abs=0.004)


def test_a_near_miss_sets_row_is_scikit_learns_and_scipys(two: tuple[Path, Path]) -> None:
    row = next(row for row in rows(compared(two).tables[0]) if row["metric"] == "auroc")
    (a, labels), (b, _) = scores(two[0]), scores(two[1])
    expected = roc_auc_score(labels, b) - roc_auc_score(labels, a)
    assert (row["first"], row["second"]) == pytest.approx((roc_auc_score(labels, a), roc_auc_score(labels, b)))
    assert row["difference"] == pytest.approx(expected)
    rng = np.random.default_rng(0)  # a group is an anchor's two pairs, one of each label
    drawn = (np.ravel([(2 * unit, 2 * unit + 1) for unit in rng.integers(20, size=20)]) for _ in range(1000))
    plain = [auroc(labels[i], b[i]) - auroc(labels[i], a[i]) for i in drawn]
    assert (row["low"], row["high"]) == pytest.approx(tuple(np.quantile(plain, [0.025, 0.975])), abs=0.05)


def test_p_values_are_corrected_over_all_sets_and_metrics(two: tuple[Path, Path]) -> None:
    found = rows(compared(two).tables[0])
    assert [row["set"] for row in found] == ["NanoNQ", "NanoMSMARCO", "pairs"]
    highest = 0.0
    for place, row in enumerate(sorted(found, key=lambda row: float(row["p"] or 0))):
        highest = max(highest, min(1.0, float(row["p"] or 0) * (3 - place)))
        assert row["p (Holm)"] == pytest.approx(highest)


def test_near_misses_are_compared_by_category_too(two: tuple[Path, Path]) -> None:
    table = compared(two).tables[1]
    assert [row["set"] for row in rows(table)] == ["pairs: negation", "pairs: spatial"]


def test_equal_runs_differ_by_nothing(made: Made) -> None:
    run = str(made("a"))
    for row in rows(versus([f"x={run}", f"y={run}"]).tables[0]):
        assert (row["difference"], row["low"], row["high"], row["p"]) == (0, 0, 0, 1)


def test_what_changed_most_is_named(two: tuple[Path, Path]) -> None:
    table = next(table for table in compared(two).tables if table.name == "changes_NanoNQ")
    difference = values(two[1], "NanoNQ") - values(two[0], "NanoNQ")
    won = [row[1].text for row in table.rows if row[0].text == "win"]
    lost = [row[1].text for row in table.rows if row[0].text == "loss"]
    assert won == [f"q{i}" for i in np.argsort(-difference)[:5]]
    assert lost == [f"q{i}" for i in np.argsort(difference)[:5] if difference[i] < 0]


def test_seeds_of_a_recipe_are_one_system(made: Made) -> None:
    for seed, quality in ((1, 0.5), (2, 0.55), (3, 0.6)):
        made(f"x/one-{seed}", seed=seed, quality=quality)
        made(f"y/two-{seed}", seed=seed, quality=quality + 0.1)
    logs = made("z").parent
    row = rows(versus([str(logs / "x"), str(logs / "y")]).tables[0])[0]
    per_seed = [
        values(logs / f"y/two-{s}", "NanoNQ").mean() - values(logs / f"x/one-{s}", "NanoNQ").mean() for s in (1, 2, 3)
    ]
    assert row["difference"] == pytest.approx(np.mean(per_seed))
    assert float(row["low"] or 0) < np.mean(per_seed) < float(row["high"] or 0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"max_length": 64}, "not comparable with a on NanoNQ: max_length 64, not 128"),
        ({"search": "faiss"}, "not comparable with a on NanoNQ: search faiss, not exact"),
        ({"data": "other"}, "not comparable with a on NanoNQ: other data"),
        ({"sets": ["NanoArguAna"], "pairs": 0}, "a and b have no set in common"),
    ],
)
def test_what_is_not_comparable_is_refused_in_a_line(
    made: Made, compret: Callable[..., tuple[int, str]], changes: dict[str, object], said: str
) -> None:
    a, b = made("a"), made("b", **{k: v for k, v in changes.items() if k in ("sets", "pairs")})
    file = b / "version_0" / "results.json"
    stored = json.loads(file.read_text())
    if "data" in changes:
        for about in stored["meta"]["data"].values():
            about["fingerprint"] += "2"
    else:
        stored["meta"] |= {k: v for k, v in changes.items() if k in stored["meta"]}
    file.write_text(json.dumps(stored))
    code, told = compret("report", a, b, "--test")
    assert (code, len(told.strip().splitlines())) == (2, 1), told
    assert said in told


@pytest.mark.parametrize("file", ["per_query/NanoNQ.jsonl", "scores/pairs.jsonl"])
@pytest.mark.parametrize("content", [None, "{", '{"query": "q0", "ndcg@10": NaN}', '{"anchor": "a", "score": 1}'])
def test_a_file_that_is_not_as_written_is_named(two: tuple[Path, Path], file: str, content: str | None) -> None:
    path = two[1] / "version_0" / file
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(UserError, match=path.name):
        compared(two)


def test_other_queries_under_the_same_fingerprint_are_refused(two: tuple[Path, Path]) -> None:
    path = two[1] / "version_0" / "per_query" / "NanoNQ.jsonl"
    path.write_text(path.read_text().replace('"q0"', '"q00"'))
    with pytest.raises(UserError, match="other queries of NanoNQ"):
        compared(two)


def test_tables_go_to_the_terminal_and_to_files(
    two: tuple[Path, Path], compret: Callable[..., tuple[int, str]], tmp_path: Path
) -> None:
    code, said = compret("report", *two, "--test", "--out", tmp_path / "out")
    assert code == 0, said
    assert "p (Holm)" in said
    with (tmp_path / "out" / "test.csv").open() as file:
        stored = [*csv.DictReader(file)]
    table = compared(two).tables[0]
    assert float(stored[0]["difference"]) == pytest.approx(rows(table)[0]["difference"], rel=1e-5)
    assert json.loads((tmp_path / "out" / "test.json").read_text())[0]["name"] == "test"


def test_two_runs_are_asked_for(made: Made) -> None:
    with pytest.raises(UserError, match="compares two runs, 1 are given"):
        versus([str(made("a"))])
