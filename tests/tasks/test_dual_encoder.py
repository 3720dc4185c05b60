"""DualEncoder: what a step computes, what is random in it, and what its options change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from compret.data.collate import Collate
from compret.losses import InfoNCE
from compret.tasks import AdamW, DualEncoder
from compret.tasks.optimizer import configure, rate_factor
from compret.types import UserError


@pytest.fixture
def rows(triplets: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in triplets.read_text().splitlines()][:8]


def test_the_loss_is_that_of_texts_encoded_one_by_one(tiny: Path, rows: list[dict[str, str]]) -> None:
    task = DualEncoder(str(tiny), loss=InfoNCE(temperature=0.1)).eval()
    batch = Collate(task.encoder.tokenizer, passes=3)(rows)

    def vector(text: str) -> torch.Tensor:
        return F.normalize(
            task.encoder(task.encoder.tokenizer.pad(task.encoder.tokenizer([text], "query").ids)).pooled_BD
        )

    candidates = torch.cat([vector(row[role]) for role in ("positive", "negative") for row in rows])
    scores = torch.cat([vector(row["anchor"]) for row in rows]) @ candidates.T / 0.1
    torch.testing.assert_close(task.batch_loss(batch), F.cross_entropy(scores, torch.arange(8)), rtol=1e-5, atol=1e-6)


def test_the_number_of_passes_changes_nothing(tiny: Path, rows: list[dict[str, str]]) -> None:
    task = DualEncoder(str(tiny)).eval()
    losses = [task.batch_loss(Collate(task.encoder.tokenizer, passes)(rows)) for passes in (1, 2, 8)]
    torch.testing.assert_close(losses[1:], losses[:1] * 2, rtol=1e-5, atol=1e-6)


def test_training_has_dropout_unless_it_is_turned_off(tiny: Path, rows: list[dict[str, str]]) -> None:
    for probability, same in ((None, False), (0.0, True)):
        task = DualEncoder(str(tiny), dropout=probability)
        batch = Collate(task.encoder.tokenizer)(rows)
        first, second = task.batch_loss(batch), task.batch_loss(batch)
        assert torch.equal(first, second) == same


def test_no_gradient_is_missing(tiny: Path, rows: list[dict[str, str]]) -> None:
    task = DualEncoder(str(tiny))
    task.batch_loss(Collate(task.encoder.tokenizer)(rows)).backward()
    assert not [name for name, p in task.named_parameters() if p.requires_grad and p.grad is None]


@pytest.mark.parametrize(
    ("schedule", "at"),
    [("linear", {0: 0, 5: 0.5, 10: 1, 55: 0.5, 100: 0}), ("cosine", {10: 1, 55: 0.5, 100: 0}), ("constant", {99: 1})],
)
def test_rates(schedule: str, at: dict[int, float]) -> None:
    for step, expected in at.items():
        assert rate_factor(step, 100, 10, schedule) == pytest.approx(expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(("warmup", "steps"), [(0, 0), (0.1, 20), (0.001, 1), (1, 1), (50, 50), (1.0, 200)])
def test_warmup_is_steps_or_a_share(warmup: float, steps: int) -> None:
    assert AdamW(warmup=warmup).warmup_steps(200) == steps


def test_biases_and_norms_do_not_decay(tiny: Path) -> None:
    configured = configure([(DualEncoder(str(tiny)), AdamW(weight_decay=0.5))], 10)
    decayed, plain = configured["optimizer"].param_groups
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.5, 0.0)
    assert {p.ndim for p in decayed["params"]} == {2}
    assert {p.ndim for p in plain["params"]} == {1}


def test_bad_options_are_named(tiny: Path) -> None:
    with pytest.raises(UserError, match=r"model.optimizer.warmup 1.5: whole steps"):
        AdamW(warmup=1.5)
    with pytest.raises(UserError, match="nothing is left to train"):
        configure([(DualEncoder(str(tiny), freeze=["embeddings", "encoder"]), AdamW())], 1)
