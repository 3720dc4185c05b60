"""The pairs that calibrate an audit share no text with those that it tests, wherever they come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from compret.data.audit_pairs import audit_pairs
from compret.evaluation.near_miss import NearMissSet
from compret.types import UserError
from tests.conftest import write_lines, write_pairs


def texts(data: NearMissSet) -> set[str]:
    return {*data.anchors, *data.candidates}


def test_minimal_pairs_are_calibrated_on_their_validation_split() -> None:
    found = audit_pairs()
    assert (len(found.tested.labels), len(found.calibration.labels)) == (5648, 1912)
    assert texts(found.tested).isdisjoint(texts(found.calibration))


def test_a_file_is_cut_in_halves_that_share_no_text(pairs: Path) -> None:
    found = audit_pairs(str(pairs))
    assert len(found.tested.labels) + len(found.calibration.labels) == 48
    assert len(found.calibration.labels) == 24
    assert texts(found.tested).isdisjoint(texts(found.calibration))
    assert found.tested.counts["calibration_pairs"] == 24
    assert "half of pairs" in found.source
    again, other = audit_pairs(str(pairs)), audit_pairs(str(pairs), seed=7)
    assert again.tested.anchors == found.tested.anchors != other.tested.anchors


@pytest.mark.parametrize("label", [0, 1])
def test_one_label_alone_is_calibrated_on_minimal_pairs(tmp_path: Path, label: int) -> None:
    file = write_lines(tmp_path / "a.jsonl", [{"anchor": f"a {i}", "candidate": "b", "label": label} for i in range(9)])
    found = audit_pairs(str(file))
    assert len(found.tested.labels) == 9
    assert found.calibration.name == "minimal_pairs"


def test_pairs_that_all_hang_together_are_calibrated_on_minimal_pairs(tmp_path: Path) -> None:
    rows = [{"anchor": f"a {i}", "candidate": "b", "label": i % 2} for i in range(9)]
    found = audit_pairs(str(write_lines(tmp_path / "a.jsonl", rows)))
    assert (len(found.tested.labels), found.source) == (9, "MinimalPairs' validation split")


def test_calibration_pairs_that_share_a_text_are_left_out_and_counted(
    pairs: Path, tmp_path: Path, sentences: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "compret")
    other = write_pairs(tmp_path / "other.jsonl", sentences[20:40])
    found = audit_pairs(str(pairs), str(other))
    assert texts(found.tested).isdisjoint(texts(found.calibration))
    assert found.calibration.counts == {"dropped_shared": 8}
    assert len(found.calibration.labels) == 32
    assert len(found.tested.labels) == 48
    assert f"{other}: 8 pairs share a text with the tested ones" in caplog.text


def test_mistakes_name_the_option(pairs: Path, tmp_path: Path, sentences: list[str]) -> None:
    with pytest.raises(UserError, match="--calibrate .*those are the tested pairs"):
        audit_pairs(str(pairs), str(pairs))
    with pytest.raises(UserError, match="no pairs of both labels that share no text"):
        audit_pairs(str(pairs), str(write_pairs(tmp_path / "same.jsonl", sentences[:24])))
    one = write_lines(tmp_path / "one.jsonl", [{"anchor": "a", "candidate": "b", "label": 1}])
    with pytest.raises(UserError, match=r"--calibrate .*one.jsonl: no pairs of both labels"):
        audit_pairs(None, str(one))
