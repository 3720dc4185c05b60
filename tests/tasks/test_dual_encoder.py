"""DualEncoder: what a step computes, what is random in it, and what its options change."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch.nn import functional as F
from torch.utils.data import DataLoader

from compret.data.collate import Collate
from compret.losses import Binary, Contrast, RankNet
from compret.nn.cosines import Cosines
from compret.nn.encoder import TextEncoder
from compret.tasks import AdamW, DualEncoder
from compret.tasks.batch_scores import pair_scores
from compret.tasks.optimizer import configure, rate_factor
from compret.types import UserError


@pytest.fixture
def rows(triplets: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in triplets.read_text().splitlines()][:8]


LOSSES = {
    "all": Contrast(),
    "own": Contrast(candidates="own"),
    "some": Contrast(candidates="own", others=2),
    "symmetric": Contrast(symmetric=True),
    "ranknet": RankNet(),
    "binary": Binary(0.1, 0.5),
}


def plainly(kind: str, scores: torch.Tensor, reverse: torch.Tensor, own: dict[int, torch.Tensor]) -> torch.Tensor:
    """A loss row by row: of scores with all positives and then all negatives, and with the row's own negative."""
    rows, parts = len(scores), []
    for i, row in enumerate(scores):
        near = [row[(i + step) % rows] for step in range(3 if kind == "some" else rows)]
        if kind == "ranknet":
            parts += [F.softplus((own[i] - row[i]) / 0.1)] if i in own else []
        elif kind == "binary":
            parts += [F.softplus((0.5 - row[i]) / 0.1), *([F.softplus((own[i] - 0.5) / 0.1)] if i in own else [])]
        elif kind in ("all", "symmetric"):
            parts.append(F.cross_entropy(row / 0.1, torch.tensor(i)))
        else:
            logits = torch.stack([*near, *([own[i]] if i in own else [])]) / 0.1
            parts.append(F.cross_entropy(logits, torch.tensor(0)))
    if kind == "symmetric":
        parts += [F.cross_entropy(row / 0.1, torch.tensor(i)) for i, row in enumerate(reverse)]
    return torch.stack(parts).mean()


@pytest.mark.parametrize("kind", LOSSES)
def test_any_loss_is_that_of_texts_encoded_one_by_one(tiny: Path, rows: list[dict[str, Any]], kind: str) -> None:
    rows[3]["negative"] = None
    task = DualEncoder(str(tiny), loss=LOSSES[kind]).eval()
    batch = Collate(task.encoder.tokenizer, passes=3)(rows)

    def vectors(role: str) -> torch.Tensor:
        texts = [task.encoder.tokenizer([row[role]], "query").ids for row in rows if row[role]]
        return torch.cat([F.normalize(task.encoder(task.encoder.tokenizer.pad(ids)).pooled_BD) for ids in texts])

    anchors, positives, negatives = map(vectors, ("anchor", "positive", "negative"))
    own = dict(zip((i for i in range(8) if i != 3), negatives, strict=True))
    expected = plainly(
        kind,
        anchors @ torch.cat([positives, negatives]).T,
        positives @ anchors.T,
        {i: anchors[i] @ vector for i, vector in own.items()},
    )
    torch.testing.assert_close(task.batch_loss(batch), expected, rtol=1e-5, atol=1e-6)


def test_the_number_of_passes_changes_nothing(tiny: Path, rows: list[dict[str, Any]]) -> None:
    task = DualEncoder(str(tiny)).eval()
    losses = [task.batch_loss(Collate(task.encoder.tokenizer, passes)(rows)) for passes in (1, 2, 8)]
    torch.testing.assert_close(losses[1:], losses[:1] * 2, rtol=1e-5, atol=1e-6)


def test_training_has_dropout_unless_it_is_turned_off(tiny: Path, rows: list[dict[str, Any]]) -> None:
    for probability, same in ((None, False), (0.0, True)):
        task = DualEncoder(str(tiny), dropout=probability)
        batch = Collate(task.encoder.tokenizer)(rows)
        first, second = task.batch_loss(batch), task.batch_loss(batch)
        assert torch.equal(first, second) == same


def test_no_gradient_is_missing(tiny: Path, rows: list[dict[str, Any]]) -> None:
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


def test_what_decays_is_known_after_a_strategy_has_cut_it_into_flat_shards(tiny: Path) -> None:
    task = DualEncoder(str(tiny))
    sizes = [sum(p.numel() for p in group["params"]) for group in AdamW().groups(task)]
    task.setup("fit")
    for parameter in task.parameters():
        parameter.data = parameter.data.flatten()
    assert [sum(p.numel() for p in group["params"]) for group in AdamW().groups(task)] == sizes


def test_every_step_and_rank_draws_random_numbers_of_its_own(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the seed alone, so that a resumed run draws the same, and ranks drop different cells."""
    rows = [{"anchor": "the dog", "positive": "a dog"}]
    drawn: dict[tuple[int, int, int], float] = {}
    for seed, rank, step in [*itertools.product((1, 2), (0, 1), (0, 1, 2)), (1, 0, 0)]:
        torch.manual_seed(seed)
        task = DualEncoder(str(tiny))
        task.trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False)
        task.on_fit_start()
        monkeypatch.setattr("compret.tasks.base.rank", lambda rank=rank: rank)
        monkeypatch.setattr(type(task.trainer.fit_loop), "total_batch_idx", step)
        task.on_train_batch_start(Collate(task.encoder.tokenizer)(rows), step)
        number = torch.rand(()).item()
        assert drawn.setdefault((seed, rank, step), number) == number
    assert len(set(drawn.values())) == 12


@pytest.mark.filterwarnings("ignore:.*does not have many workers", "ignore:.*LeafSpec:FutureWarning")
def test_the_validation_loss_is_the_mean_over_rows(tiny: Path, rows: list[dict[str, Any]]) -> None:
    """Also where batches have different numbers of them."""
    task = DualEncoder(str(tiny), loss=Binary(0.1, 0.5))
    batches = [
        Collate(task.encoder.tokenizer)([{**row, "negative": None} for row in part]) for part in (rows[:6], rows[6:])
    ]
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = Trainer(accelerator="cpu", **quiet)
    loader = DataLoader(batches, batch_size=None)  # type: ignore[arg-type]
    (found,) = trainer.validate(task, loader, verbose=False)
    with torch.no_grad():
        first, second = (task.eval().batch_loss(batch).item() for batch in batches)
    assert abs(first - second) > 1e-3
    assert found["val_loss"] == pytest.approx((6 * first + 2 * second) / 8, rel=1e-5)


ROWS = [
    {"anchor": "the dog", "positive": "a dog", "teacher": 0.9},
    {"anchor": "the cat", "positive": "the dog", "negative": "no cat", "teacher": 0.8, "teacher_negative": 0.1},
    {"anchor": "no bird", "positive": None, "negative": "a bird", "teacher_negative": 0.2},
]


def test_a_loss_is_given_what_it_needs_of_the_rows(tiny_encoder: TextEncoder) -> None:
    """Masks of both directions, and a teacher's scores beside the pairs that they are of."""
    batch = Collate(tiny_encoder.tokenizer, columns=("teacher", "teacher_negative"))(ROWS)
    texts = Cosines(torch.randn(7, 4, generator=torch.Generator().manual_seed(0)))
    scores = pair_scores(batch, Contrast(symmetric=True).needs, texts)
    assert scores.duplicates_BC is not None
    assert scores.duplicates_BC.tolist() == [[True, True, False, False], [False, True, False, False]]
    assert scores.duplicates_BA is not None
    assert scores.duplicates_BA.tolist() == [[True, False], [True, True]]
    assert scores.teacher_positives_B is not None
    assert scores.teacher_positives_B.tolist() == pytest.approx([0.9, 0.8])
    assert scores.teacher_negatives_C is not None
    assert scores.teacher_negatives_C.tolist() == pytest.approx([0.1, 0.2])
    assert scores.anchors_T.tolist() == [1]
    own_C = (texts.unit_TD[[1, 2]] * texts.unit_TD[[5, 6]]).sum(1)
    torch.testing.assert_close(scores.negatives_C, own_C)


def test_bad_options_are_named(tiny: Path) -> None:
    with pytest.raises(UserError, match=r"model.optimizer.warmup 1.5: whole steps"):
        AdamW(warmup=1.5)
    with pytest.raises(UserError, match="nothing is left to train"):
        configure([(DualEncoder(str(tiny), freeze=["embeddings", "encoder"]), AdamW())], 1)
