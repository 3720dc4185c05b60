"""Leakage: what a run validates or tests on is not trained on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from compret.data import NearMissPairs, Triplets
from compret.data.triplet_source import TripletSource
from compret.types import UserError

Run = Callable[..., tuple[int, str]]


def triplet_file(tmp_path: Path) -> Path:
    rows = [{"anchor": f"anchor {i}", "positive": f"positive {i}", "negative": f"negative {i}"} for i in range(40)]
    path = tmp_path / "triplets.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def suite(tmp_path: Path, anchor: str, candidate: str) -> NearMissPairs:
    path = tmp_path / "seen.jsonl"
    path.write_text(json.dumps({"anchor": anchor, "candidate": candidate, "label": 0, "category": "any"}) + "\n")
    return NearMissPairs([str(path)])


SEEN = [("anchor 3", "another"), ("another", "positive 3"), ("negative 3", "another"), ("another", " anchor 3 ")]


@pytest.mark.parametrize(("anchor", "candidate"), SEEN)
@pytest.mark.parametrize("role", ["validation", "test"])
def test_rows_with_a_text_of_a_near_miss_set_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, anchor: str, candidate: str, role: str
) -> None:
    data = Triplets([str(triplet_file(tmp_path))], batch_size=4, **{role: [suite(tmp_path, anchor, candidate)]})
    data.setup("fit")
    numbers = sorted([*data._train[0].tolist(), *data._held_out[0].tolist()])
    assert numbers == [i for i in range(40) if i != 3]
    assert "1 rows hold a text of a near-miss set that this run validates or tests on" in caplog.text
    assert "1 rows left out" in next(iter(data.fingerprints.values()))


def test_they_are_refused_or_kept_by_option(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    files, seen = [str(triplet_file(tmp_path))], [suite(tmp_path, "anchor 3", "another")]
    with pytest.raises(UserError, match=r"1 rows hold a text of a near-miss set .* set data.leakage drop"):
        Triplets(files, batch_size=4, test=seen, leakage="refuse").setup("fit")
    kept = Triplets(files, batch_size=4, test=seen, leakage="ignore")
    kept.setup("fit")
    assert len(kept._train[0]) + len(kept._held_out[0]) == 40
    assert "near-miss set" not in caplog.text


def test_the_embedded_splits_are_apart(caplog: pytest.LogCaptureFixture) -> None:
    data = Triplets(["minimal_pairs:train"], validation=[NearMissPairs(["minimal_pairs:validation"])])
    data.test = [NearMissPairs()]
    data.setup("fit")
    assert "near-miss set" not in caplog.text
    assert TripletSource("minimal_pairs:train", 0, False).usable.all()
