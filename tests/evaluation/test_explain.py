"""An explanation: the map of transformers' own states, the guard's scores, words by a longest common subsequence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from compret.evaluation.explain import differing, explain
from compret.evaluation.map_figure import draw_map
from compret.evaluation.retriever import TwoStageRetriever
from compret.evaluation.scoring_model import ScoringModel, load_model
from compret.metrics.calibration import Calibration
from compret.nn.encoder import TextEncoder
from compret.nn.verifiers import MaxSim
from compret.types import UserError

A, B = "the dog bit the man", "the man bit the dog, no?"


def states(folder: Path, text: str) -> tuple[list[str], torch.Tensor]:
    """Tokens and unit states, by transformers alone."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    batch = tokenizer(text, return_tensors="pt")
    with torch.no_grad():
        found = model(**batch).last_hidden_state[0]
    return tokenizer.convert_ids_to_tokens(batch["input_ids"][0]), torch.nn.functional.normalize(found, dim=-1)


def test_the_map_is_that_of_the_tokens(tiny: Path) -> None:
    found = explain(load_model(tiny), A, B)
    (tokens_a, a_MD), (tokens_b, b_ND) = states(tiny, A), states(tiny, B)
    assert found.tokens == (tokens_a, tokens_b)
    np.testing.assert_allclose(found.map_MN, (a_MD @ b_ND.T).numpy(), atol=2e-3)  # states are kept in half precision
    np.testing.assert_array_equal(found.best[0], [max(row) for row in found.map_MN.tolist()])
    np.testing.assert_array_equal(found.best[1], [max(row) for row in found.map_MN.T.tolist()])
    assert found.score is found.verdict is found.threshold is None


def test_the_cosine_is_sentence_transformers(tiny: Path) -> None:
    from sentence_transformers import SentenceTransformer

    a, b = SentenceTransformer(str(tiny), device="cpu").encode([A, B], normalize_embeddings=True)
    assert explain(load_model(tiny), A, B).cosine == pytest.approx(float(a @ b), abs=1e-5)


@pytest.mark.parametrize("special", [True, False])
def test_score_and_verdict_are_the_guards(tiny_encoder: TextEncoder, special: bool) -> None:
    calibration = Calibration(threshold=5.0, false_accept_rate=0.05, temperature=1.0, shift=4.0)
    guard = TwoStageRetriever(tiny_encoder, MaxSim(), special, calibration)
    model = ScoringModel(guard.scorer, calibration)
    found, verdict = explain(model, A, B), guard.same(A, B)
    assert (found.score, found.verdict, found.threshold) == (verdict.score, verdict, 5.0)
    assert ("[CLS]" in found.tokens[0]) == special
    assert found.map_MN.shape == (len(found.tokens[0]), len(found.tokens[1]))
    equal = explain(model, A, A).verdict
    assert equal is not None
    assert equal.accept
    assert explain(ScoringModel(guard.scorer), A, B).verdict is None


def test_truncated_texts_are_told(tiny: Path) -> None:
    found = explain(load_model(tiny), "the dog " * 40, "a cat")
    assert (found.truncated, len(found.tokens[0])) == (1, 32)


WORDS = st.lists(st.sampled_from(["a", "b", "c", "A,"]), max_size=8)


@given(WORDS, WORDS)
def test_what_does_not_differ_is_a_longest_common_subsequence(a: list[str], b: list[str]) -> None:
    """The same words on both sides, and as many as the textbook's recursion finds."""

    def longest(i: int, j: int) -> int:
        if i == len(a) or j == len(b):
            return 0
        if bare[0][i] == bare[1][j]:
            return 1 + longest(i + 1, j + 1)
        return max(longest(i + 1, j), longest(i, j + 1))

    bare = [[word.lower().strip(",") for word in side] for side in (a, b)]
    marked = differing(" ".join(a), " ".join(b))
    assert [[word for word, _ in side] for side in marked] == [a, b]
    kept = [[word.lower().strip(",") for word, differs in side if not differs] for side in marked]
    assert kept[0] == kept[1]
    assert len(kept[0]) == longest(0, 0)


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_a_map_is_drawn(tiny: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / f"map{suffix}"
    draw_map(explain(load_model(tiny), "the $dog$ bit 犬", "a very " * 10 + "old cat"), path)
    begins = {".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}[suffix]
    assert path.read_bytes().startswith(begins)
    assert list(path.parent.iterdir()) == [path]


def test_a_figure_of_another_kind_is_refused(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="name one by its suffix"):
        draw_map(explain(load_model(tiny), A, B), tmp_path / "map.bmp")
    assert not list(tmp_path.iterdir())
