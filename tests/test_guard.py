"""Guard: accepts what reaches its threshold, rejects all that it cannot judge, in any order and from any thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compret import Guard
from compret.data.near_miss_files import load_near_misses
from compret.types import UserError


@pytest.fixture(scope="module")
def guard(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Guard:
    file = tmp_path_factory.mktemp("guard") / "calibration.csv"
    rows = [f"a dog {i},{word} dog {i},{int(word == 'the')}" for i in range(20) for word in ("the", "no")]
    file.write_text("anchor,candidate,label\n" + "\n".join(rows) + "\n")
    return Guard.load(tiny, "cpu").calibrated(file, 0.1)


def test_the_budget_is_kept_on_the_pairs_it_was_fitted_on(tiny: Path, pairs: Path) -> None:
    known = load_near_misses(str(pairs))
    loose = Guard.load(tiny)
    scores = loose.model.scorer.pairs(known.anchors, known.candidates).scores_P
    near_misses = scores[np.array(known.labels) == 0]
    for budget in (0.0, 0.1, 0.5):
        fitted = loose.calibrated(pairs, budget)
        assert (near_misses >= fitted.threshold).mean() <= budget
        lower = near_misses[near_misses < fitted.threshold].max()
        assert (near_misses >= lower).mean() > budget


def test_a_pair_is_accepted_at_its_threshold(guard: Guard) -> None:
    decision = guard.same("a dog", "the dog")
    assert decision.score is not None
    assert decision.accept == (decision.score >= guard.threshold)
    assert f"{decision.score:.4f}" in decision.reason
    assert guard.same("the dog", "a dog") == decision


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(*[st.text(max_size=30)] * 2), max_size=4))
def test_any_texts_are_decided_alike_one_by_one_and_in_either_order(guard: Guard, pairs: list[tuple[str, str]]) -> None:
    together = guard.decide(pairs)
    for (a, b), decision in zip(pairs, together, strict=True):
        alone = guard.same(b, a)
        assert (alone.accept, alone.reason) == (decision.accept, decision.reason)
        if decision.score is not None:
            assert alone.score == pytest.approx(decision.score, abs=1e-5)


@pytest.mark.parametrize("text", ["", "  \n", "\u2003"])
def test_an_empty_text_is_rejected_though_it_is_equal(guard: Guard, text: str) -> None:
    assert guard.same(text, text).accept is False
    assert guard.same(text, "a dog").reason == "an empty text"


def test_equal_texts_are_accepted_though_they_are_long(guard: Guard) -> None:
    long = "dog " * 10_000
    assert guard.same(long, long).accept
    assert guard.same("狗咬人", "狗咬人").accept


def test_a_text_that_is_read_in_part_is_rejected(guard: Guard) -> None:
    long = "dog " * 10_000
    both, short = guard.decide([(long + "a", long + "b"), ("a dog", "the dog")])
    assert (both.accept, both.reason) == (False, "a text is longer than the model reads")
    assert short.reason.startswith("score ")


def test_what_cannot_be_scored_is_rejected(
    guard: Guard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(guard.model.scorer, "pairs", broken)
    equal, other = guard.decide([("a dog", "a dog"), ("a dog", "the dog")])
    assert equal.accept
    assert (other.accept, other.score, other.reason) == (False, None, "not scored: out of memory")
    assert "1 pairs are rejected, since they could not be scored (out of memory)" in caplog.text
    assert guard.same("a dog", None).reason == "not a text"  # type: ignore[arg-type]
    assert guard.filter("a dog", ["the dog"]) == []


def test_half_of_a_surrogate_pair_is_rejected(guard: Guard) -> None:
    assert guard.same("\ud800 dog", "a dog").accept is False


def test_filter_keeps_what_is_accepted_best_first(guard: Guard) -> None:
    candidates = ["no dog", "a dog", "", "the dog", "red bird in the river"]
    kept = guard.filter("a dog", candidates)
    decided = guard.decide([("a dog", c) for c in candidates])
    assert {hit.row for hit in kept} == {row for row, d in enumerate(decided) if d.accept}
    assert kept[0].text == "a dog"
    assert [hit.score for hit in kept] == sorted((hit.score for hit in kept), reverse=True)
    assert all(candidates[hit.row] == hit.text for hit in kept)
    with pytest.raises(UserError, match="filter takes a list of candidates"):
        guard.filter("a dog", "the dog")


def test_threads_share_it(guard: Guard) -> None:
    pairs = [("a dog", f"the dog {i % 7}") for i in range(40)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda pair: guard.same(*pair), pairs))
    assert found == [guard.same(*pair) for pair in pairs]


def test_an_audit_counts_by_its_threshold_and_never_on_the_pairs_that_fitted_it(tiny: Path, pairs: Path) -> None:
    loose = Guard.load(tiny)
    fitted = loose.calibrated("minimal_pairs:validation", 0.2)
    found = fitted.audit(pairs)
    known = load_near_misses(str(pairs))
    decided = [d.accept for d in fitted.decide(list(zip(known.anchors, known.candidates, strict=True)))]
    accepted = sum(a for a, label in zip(decided, known.labels, strict=True) if label == 0)
    assert found.at[0].all.false_accepts.count == accepted
    with pytest.raises(UserError, match="the threshold was fitted on these pairs; test it on others"):
        loose.calibrated(pairs).audit(pairs)


def test_without_a_threshold_nothing_is_decided(tiny: Path, tmp_path: Path) -> None:
    loose = Guard.load(tiny)
    for ask in (lambda: loose.same("a", "b"), lambda: loose.audit("minimal_pairs:test")):
        with pytest.raises(UserError, match=r"guard: no threshold; call calibrated\(pairs, budget\)"):
            ask()
    (tmp_path / "one.csv").write_text("anchor,candidate,label\na dog,the dog,1\n")
    with pytest.raises(UserError, match="one: a threshold needs pairs of both labels"):
        loose.calibrated(tmp_path / "one.csv")
    with pytest.raises(UserError, match=r"guard: budget 1.0: a share from 0 to below 1"):
        loose.calibrated(tmp_path / "one.csv", 1.0)
