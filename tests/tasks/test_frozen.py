"""Frozen training: each text is encoded once and its states kept, while there is room; they are those of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch

from compret.evaluation.vectors import half_on_disk
from compret.nn.pair_scoring import joined
from compret.nn.verifiers import MaxSim, MeanMap
from compret.tasks import SimilarityMapVerifier
from tests.tasks.batches import batch_of


@pytest.mark.parametrize("special_tokens", [True, False])
def test_frozen_training_encodes_each_text_once(tiny: Path, rows: list[dict[str, Any]], special_tokens: bool) -> None:
    frozen = SimilarityMapVerifier(MeanMap(), str(tiny), frozen=True, special_tokens=special_tokens)
    batch = batch_of(frozen, rows)
    first, _ = frozen.losses(batch)
    texts = len(
        {(row["anchor"], "q") for row in rows} | {(row[r], "d") for row in rows for r in ("positive", "negative")}
    )
    assert frozen.cache.encoded == texts - 1
    again, _ = frozen.losses(batch)
    assert frozen.cache.encoded == texts - 1
    assert torch.equal(first, again)
    trained, other = (
        SimilarityMapVerifier(MeanMap(), str(tiny), special_tokens=kept).eval()
        for kept in (special_tokens, not special_tokens)
    )
    torch.testing.assert_close(first, trained.losses(batch)[0], rtol=0, atol=5e-3)
    assert (first - other.losses(batch)[0]).abs().item() > 0.02


@pytest.mark.parametrize(("budget", "told"), [(1 << 20, 0), (20 * 2 * 32, 1), (0, 1)])
def test_what_no_longer_fits_the_budget_is_encoded_again(
    tiny: Path, rows: list[dict[str, Any]], caplog: pytest.LogCaptureFixture, budget: int, told: int
) -> None:
    expected = SimilarityMapVerifier(MaxSim(), str(tiny), frozen=True)
    task = SimilarityMapVerifier(MaxSim(), str(tiny), frozen=True, disk_budget=budget)
    losses = [task.losses(batch_of(task, rows))[0] for task in (expected, task, task)]
    torch.testing.assert_close(losses, losses[:1] * 3)
    assert caplog.text.count("the others encoded each time: model.disk_budget is used up") == told


@pytest.mark.parametrize("rows_a_store", [30, 1 << 20])
def test_states_are_kept_in_as_many_files_as_it_takes(
    tiny: Path, rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, rows_a_store: int
) -> None:
    monkeypatch.setattr("compret.tasks.frozen._STORE", rows_a_store * 2 * 32)
    task = SimilarityMapVerifier(MaxSim(), str(tiny), frozen=True)
    first, again = (task.cache.states(task.encoder, batch_of(task, rows), True) for _ in range(2))
    assert (len(task.cache.stores) > 1) == (rows_a_store == 30)
    assert torch.equal(first.unit_TD, again.unit_TD)
    assert torch.equal(first.pooled_BD, again.pooled_BD)


def test_what_the_disk_has_no_room_for_is_encoded_again(
    tiny: Path,
    rows: list[dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    files_of_a_kilobyte: None,
) -> None:
    """And the disk is asked once, not for each text."""
    asked = Mock(side_effect=half_on_disk)
    monkeypatch.setattr("compret.tasks.frozen.half_on_disk", asked)
    task = SimilarityMapVerifier(MaxSim(), str(tiny), frozen=True)
    first, again = (task.losses(batch_of(task, rows))[0] for _ in range(2))
    assert torch.equal(first, again)
    assert caplog.text.count("0 texts are kept and the others encoded each time") == 1
    assert "set TMPDIR" in caplog.text
    assert asked.call_count == 1


def test_a_text_has_other_states_as_a_query_and_as_a_document(tiny: Path) -> None:
    prompts = {"query_prompt": "who saw ", "document_prompt": "the very small "}
    rows = [{"anchor": "the dog", "positive": "a cat"}, {"anchor": "a cat", "positive": "the dog"}]
    frozen, trained = (SimilarityMapVerifier(MeanMap(), str(tiny), frozen=f, **prompts).eval() for f in (True, False))  # type: ignore[arg-type]
    batch = batch_of(frozen, rows)
    states = frozen.cache.states(frozen.encoder, batch, True)
    expected = joined([trained._states(tokens) for tokens in batch.passes])[batch.places]
    assert states.lengths == expected.lengths
    torch.testing.assert_close(states.unit_TD, expected.unit_TD, rtol=0, atol=1e-3)
    assert frozen.cache.encoded == 4
