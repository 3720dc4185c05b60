"""Even labels: strata of labelled pairs, and what is drawn of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compret.data import Triplets
from compret.data.labels import even_strata
from compret.losses import Distilled
from compret.metrics.near_miss import jaccard
from compret.nn.tokenizer import TextTokenizer
from compret.types import TripletBatch, UserError

pytestmark = pytest.mark.usefixtures("fresh_cache")


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=60), st.booleans())
def test_both_labels_have_half_in_each_tenth(pairs: list[tuple[bool, float]], match: bool) -> None:
    labels, overlap = np.array([label for label, _ in pairs]), np.array([share for _, share in pairs])
    rows = np.arange(len(pairs)) * 3
    strata = even_strata(7, rows, labels, overlap if match else None)
    if len(set(labels.tolist())) == 1:
        assert [(s.rows.tolist(), s.share) for s in strata] == [(rows.tolist(), 1.0)]
        return
    assert all(s.source == 7 for s in strata)
    drawn: Counter[tuple[bool, int]] = Counter()
    for stratum in strata:
        places = stratum.rows // 3
        assert len({(bool(labels[p]), min(int(overlap[p] * 10), 9) if match else 0) for p in places}) == 1
        place = int(places[0])
        drawn[bool(labels[place]), min(int(overlap[place] * 10), 9) if match else 0] += stratum.share  # type: ignore[assignment]
    assert all(drawn[True, tenth] == pytest.approx(drawn[False, tenth]) for _, tenth in list(drawn))
    assert not strata or sum(drawn.values()) == pytest.approx(1.0)
    if not match:
        assert sorted(n for s in strata for n in s.rows.tolist()) == rows.tolist()


Make = Callable[..., Triplets]


@pytest.fixture
def make(tiny: Path) -> Make:
    def made(files: list[str], loss: Any = None, **options: Any) -> Triplets:
        data = Triplets(files, **{"batch_size": 8, "workers": 0, "holdout": 0.0, **options})
        encoder = SimpleNamespace(tokenizer=TextTokenizer(tiny, 32, {"query": "", "document": ""}))
        data.trainer = SimpleNamespace(lightning_module=SimpleNamespace(encoder=encoder, loss=loss))  # type: ignore[assignment]
        data.setup("fit")
        return data

    return made


def labelled(path: Path, same: int, other: int) -> str:
    """Pairs of label 1 with few words in common, of label 0 with most; a fifth of each is like the other."""
    rows = []
    for i in range(same + other):
        label, few = int(i < same), "runs far away from here"
        close = f"the dog {i} sees the cat {i} now"
        alike = (i % 5 == 0) == bool(label)
        rows.append(
            {"anchor": f"the dog {i} sees the cat {i}", "candidate": close if alike else f"{few} {i}", "label": label}
        )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def drawn_rows(data: Triplets, batches: int) -> list[dict[str, Any]]:
    loader = data.train_dataloader()
    found: list[dict[str, Any]] = []
    while len(found) < batches * data.batch_size:
        for batch in loader:
            found += data.read(batch.rows)
    return found


def test_labels_are_drawn_evenly_though_few_are_the_same(make: Make, tmp_path: Path) -> None:
    rows = drawn_rows(make([labelled(tmp_path / "a.jsonl", same=10, other=90)]), 50)
    same = [row for row in rows if row["positive"] is not None]
    assert 0.45 < len(same) / len(rows) < 0.55
    assert len({row["anchor"] for row in same}) == 10
    assert all((row["positive"] is None) != (row["negative"] is None) for row in rows)


def test_weights_hold_between_sources_whatever_their_labels(make: Make, tmp_path: Path) -> None:
    files = [labelled(tmp_path / "a.jsonl", 10, 90), labelled(tmp_path / "b.jsonl", 50, 50)]
    data = make(files, weights=[0.25, 0.75])
    rows = drawn_rows(data, 50)
    share = sum(row["source"] == files[0] for row in rows) / len(rows)
    assert 0.2 < share < 0.3


def test_overlap_does_not_tell_matched_labels_apart(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = labelled(tmp_path / "a.jsonl", 60, 40)

    def mean_overlap(data: Triplets) -> list[float]:
        rows = drawn_rows(data, 100)
        sides = [[jaccard(r["anchor"], r[role]) for r in rows if r[role]] for role in ("positive", "negative")]
        return [float(np.mean(side)) for side in sides]

    apart, matched = mean_overlap(make([file])), mean_overlap(make([file], overlap_matching=True))
    assert abs(apart[0] - apart[1]) > 0.2
    assert matched[0] == pytest.approx(matched[1], abs=0.05)


def test_rows_that_no_other_label_matches_are_told(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [{"anchor": f"a b {i}", "candidate": f"a b c {i}", "label": i % 2} for i in range(30)]
    rows += [{"anchor": f"a b {i}", "candidate": "z", "label": 1} for i in range(30, 37)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = make([str(tmp_path / "a.jsonl")], overlap_matching=True)
    data.train_dataloader()
    assert "7 rows are not drawn, since no pair of the other label has their overlap" in caplog.text


def test_two_pairs_of_label_0_with_one_anchor_do_not_meet(make: Make, tmp_path: Path) -> None:
    rows = [{"anchor": f"a {i // 2}", "candidate": f"b {i}", "label": 0} for i in range(32)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for batch in make([str(tmp_path / "a.jsonl")]).train_dataloader():
        assert len(set(batch.anchor_keys_B.tolist())) == 8
        assert len(batch.positive_rows_P) == 0
        assert batch.negative_anchors == tuple(range(8))


def test_an_anchor_that_is_its_own_candidate_is_left_out_where_the_label_is_0(make: Make, tmp_path: Path) -> None:
    rows = [{"anchor": f"a {i}", "candidate": f"a {i}", "label": i % 2} for i in range(40)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = make([str(tmp_path / "a.jsonl")])
    assert data.sources[0].dropped == 20
    assert all(row["positive"] == row["anchor"] for row in drawn_rows(data, 2))


def test_random_negatives_are_refused_beside_labels(make: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="labelled pairs have negatives of their own; leave data.random_negatives out"):
        make([labelled(tmp_path / "a.jsonl", 10, 10)], random_negatives=True)


def test_the_losss_columns_come_with_the_rows(make: Make, tmp_path: Path) -> None:
    rows = [{"anchor": f"a {i}", "candidate": f"b {i}", "label": i % 2, "teacher": float(i)} for i in range(16)]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = make([str(tmp_path / "a.jsonl")], loss=Distilled())
    batch: TripletBatch = next(iter(data.train_dataloader()))
    told = [row["teacher"] for row in data.read(batch.rows)]
    assert sorted(batch.columns["teacher"].tolist()) == sorted(told)
    of_anchor = {text: float(text.split()[1]) for text in (row["anchor"] for row in data.read(batch.rows))}
    assert sorted(of_anchor.values()) == sorted(told)
    assert batch.columns["teacher_negative"].isnan().all()
