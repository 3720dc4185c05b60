"""What figures show, by other means; that each is drawn in each format, the same each time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_curve

from compret.report.figures.drawn import drawings
from compret.report.figures.reliability import reliability
from compret.report.figures.roc import Scored, curve, operating_point
from compret.report.figures.style import line, look, save, svg
from compret.report.figures.tradeoff import Point, pareto
from compret.report.whole import whole

Made = Callable[..., Path]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8))
def test_the_front_is_what_no_point_surpasses(places: list[tuple[int, int]]) -> None:
    points = [Point(str(i), x, y, None, None) for i, (x, y) in enumerate(places)]
    best = {
        (p.across, p.up)
        for p in points
        if not any(q.across >= p.across and q.up >= p.up and (q.across, q.up) != (p.across, p.up) for q in points)
    }
    assert {(p.across, p.up) for p in pareto(points)} == best


@given(st.lists(st.integers(0, 6), min_size=2, max_size=20))
def test_the_roc_is_scikit_learns(scores: list[int]) -> None:
    labels = np.arange(len(scores)) % 2
    scored = Scored("s", np.array(scores, dtype=float), labels, threshold=3.0)
    false, true, _ = roc_curve(labels, scores, drop_intermediate=False)
    assert np.allclose(curve(scored), (false, true))
    accepted = np.array(scores) >= 3
    assert operating_point(scored) == (accepted[labels == 0].mean(), accepted[labels == 1].mean())
    assert operating_point(Scored("s", scored.scores_P, labels, None)) is None


def test_reliability_of_a_calibrated_model_is_the_diagonal() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.random(20_000)
    labels = (rng.random(20_000) < probabilities).astype(np.int64)
    said, found = reliability(Scored("s", probabilities, labels, None, probabilities))
    assert found == pytest.approx(said, abs=0.04)
    assert said == pytest.approx(np.arange(0.05, 1, 0.1), abs=0.02)


def test_no_two_of_many_look_the_same() -> None:
    assert len({tuple(look(i).values()) for i in range(40)}) == 40
    assert len({tuple(line(i).values()) for i in range(8)}) == 8


def test_each_figure_is_drawn_and_again_the_same(made: Made, tmp_path: Path) -> None:
    logs = made("baseline", quality=0.4).parent
    made("structneg", quality=0.3, separation=0.9)
    shown = [*drawings(whole([str(logs)]))]
    names = ["tradeoff_NanoBEIR", "differences_NanoBEIR", "roc_pairs", "reliability_pairs"]
    assert [one.name for one in shown] == [*names, "scores_pairs_baseline", "scores_pairs_structneg"]
    with shown[-1].draw() as figure:
        for kind, start in (("png", b"\x89PNG"), ("pdf", b"%PDF")):
            save(figure, tmp_path / f"x.{kind}")
            assert (tmp_path / f"x.{kind}").read_bytes().startswith(start)
    contents = []
    for name in ("one.svg", "two.svg"):
        with shown[0].draw() as figure:
            save(figure, tmp_path / name)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


def test_a_figure_in_a_page_has_ids_of_its_own_and_escapes_names(made: Made) -> None:
    logs = made("baseline").parent
    made("<script>alert(1)<&script>")
    report = whole([str(logs)])
    drawn = next(one for one in drawings(report) if one.name.startswith("tradeoff"))
    with drawn.draw() as figure:
        one, two = svg(figure, "one"), svg(figure, "two")
    assert "<script" not in one
    assert 'id="one-' in one
    assert 'id="' not in one.replace('id="one-', "")
    assert "#one-" in one
    assert two == one.replace("one-", "two-")
