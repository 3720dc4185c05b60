"""Makes test runs as compret writes them, of systems whose quality is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

COLUMNS = [
    {
        **{"kind": "retrieval", "title": "retrieval nDCG@10", "metric": "ndcg@10"},
        **{"same": ["search", "ndcg_gain"], "by_query": True},
    },
    {"kind": "nearmiss", "title": "near-miss AUROC", "metric": "auroc", "same": [], "by_query": False},
]
METRICS = ("ndcg@10", "mrr@10", "accuracy@1", "accuracy@10")
Made = Callable[..., Path]


@pytest.fixture(scope="session")
def maker() -> Made:
    """Makes a run in any folder."""
    return make_run


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return lambda name, **options: make_run(tmp_path / "logs" / name, **options)


def make_run(
    folder: Path,
    quality: float = 0.5,
    separation: float = 0.5,
    seed: int | None = 42,
    sets: Sequence[str] = ("NanoNQ", "NanoMSMARCO"),
    queries: int = 40,
    pairs: int = 40,
    recall: float | None = None,
    texts: Callable[[int], str] = "the text number {}".format,
    changes: Mapping[str, Any] | None = None,
) -> Path:
    """Write logs/NAME/version_0; `quality` is the mean of retrieval's values, `separation` that of paraphrases' scores.

    The queries of a set differ in difficulty, the same for all runs.
    """
    folder, rng = folder / "version_0", np.random.default_rng([seed or 0, int(quality * 1000), int(separation * 1000)])
    kinds: dict[str, dict[str, Any]] = {"retrieval": {}, "nearmiss": {}}
    for number, name in enumerate(sets):
        hard_Q = np.random.default_rng(number).normal(0, 0.2, queries)
        kinds["retrieval"][name] = _retrieval(
            folder, name, np.clip(quality + hard_Q + rng.normal(0, 0.05, queries), 0, 1)
        )
        if recall is not None:
            values_Q = np.clip(recall + hard_Q + rng.normal(0, 0.05, queries), 0, 1)
            kinds["retrieval"][name]["recall_stage"] = _retrieval(folder, f"{name}.recall_stage", values_Q)
    if pairs:
        kinds["nearmiss"]["pairs"] = _near_miss(folder, pairs, separation, rng, texts)
    about = {
        name: {"suite": "NanoBEIR", "score": "cosine", "fingerprint": name, "ndcg_gain": "binary"} for name in sets
    }
    about |= {name: {"score": "cosine", "fingerprint": name} for name in kinds["nearmiss"]}
    meta = {
        **{"max_length": 128, "search": "exact", "backbone": "org/tiny", "seed": seed, "verifier": None},
        **{"checkpoint": None, "config_hash": "c0ffee", "versions": {"compret": "0.1.0"}, "columns": COLUMNS},
        **{"data": about, "counts": {name: {} for name in about}, **(changes or {})},
    }
    stored = {"meta": meta, **kinds, "timing": {name: {"encode": 1.5} for name in about}}
    (folder / "results.json").write_text(json.dumps(stored))
    return folder.parent


def _retrieval(folder: Path, name: str, values_Q: np.ndarray) -> dict[str, float]:
    rows = [{"query": f"q{i}", **dict.fromkeys(METRICS, float(value))} for i, value in enumerate(values_Q)]
    write(folder / "per_query" / f"{name}.jsonl", rows)
    return dict.fromkeys(METRICS, float(values_Q.mean()))


def _near_miss(
    folder: Path, pairs: int, separation: float, rng: np.random.Generator, texts: Callable[[int], str]
) -> dict[str, Any]:
    labels, names = np.arange(pairs) % 2, ["negation", "negation", "spatial", "spatial"]
    scores = labels * separation + rng.normal(0, 0.3, pairs)
    rows = [
        {"anchor": texts(i // 2), "candidate": f"not {texts(i)}", "label": int(labels[i]), "category": names[i % 4]}
        for i in range(pairs)
    ]
    write(
        folder / "scores" / "pairs.jsonl",
        [{**row, "score": float(score)} for row, score in zip(rows, scores, strict=True)],
    )
    parts = {name: np.array([row["category"] == name for row in rows]) for name in sorted(set(names))}
    whole = _separation(scores, labels)
    return {**whole, "threshold": 0.3, "categories": {n: _separation(scores[p], labels[p]) for n, p in parts.items()}}


def _separation(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    true, false = scores[labels == 1], scores[labels == 0]
    higher = (true[:, None] > false) + 0.5 * (true[:, None] == false)
    spread = {"negative_mean": float(false.mean()), "negative_std": float(false.std())}
    return {"auroc": float(higher.mean()), "overlap_auroc": 0.5, "edit_words_auroc": 0.75, **spread}


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
