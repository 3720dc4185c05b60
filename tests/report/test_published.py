"""The paper's numbers beside ours: what is matched, and the measures of reproduction by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from compret.report.published import effect_ratio, published, rmse
from compret.report.whole import whole

Made = Callable[..., Path]


def test_measures_of_reproduction() -> None:
    assert rmse([(1.0, 0.0), (0.0, 0.0)]) == pytest.approx(0.5**0.5)
    assert effect_ratio([0.1, 0.3], [0.2, 0.2]) == pytest.approx(1.0)
    assert effect_ratio([0.1], [-0.2]) == pytest.approx(-0.5)
    assert (rmse([]), effect_ratio([0.1], [0.0])) == (None, None)


def test_the_same_system_on_the_same_suite_stands_beside_the_papers(made: Made) -> None:
    logs = made("baseline", quality=0.4).parent
    made("structneg", quality=0.3)
    table = next(table for table in whole([str(logs)], published=True).tables if table.name.startswith("published"))
    shown = {(row[0].text, row[1].text): row[2].value for row in table.rows}
    assert shown["baseline", "nDCG@10"] == published()["systems"]["baseline"]["retrieval"]["ndcg@10"] == 0.348
    assert ("baseline", "mean score, negation") not in shown  # these near-misses are not the paper's categories
    for row in table.rows:
        assert row[4].value == pytest.approx((row[3].value or 0) - (row[2].value or 0))
    assert "retrieval: RMSE" in " ".join(table.notes)
    assert "arXiv 2604.16351" in table.notes[0]


def test_without_such_a_system_a_line_says_so(made: Made) -> None:
    assert (
        "--paper: no system here is one that the paper gives numbers of"
        in whole([str(made("mine"))], published=True).notes
    )
