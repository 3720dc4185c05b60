"""Encoding in passes: each text once, in order, whatever the budget and the neighbours."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compret.evaluation.encode import encode
from compret.evaluation.tokens import encode_tokens
from compret.nn import passes
from compret.nn.encoder import TextEncoder
from compret.nn.passes import budgeted
from compret.types import Encoded, TokenBatch, UserError

QUIET = [HealthCheck.function_scoped_fixture]


@given(st.lists(st.integers(1, 50), max_size=40), st.integers(1, 200))
def test_slices_cover_all_within_the_budget(lengths: list[int], budget: int) -> None:
    falling = np.array(sorted(lengths, reverse=True), dtype=np.int64)
    slices = budgeted(falling, budget)
    assert [i for s in slices for i in range(len(falling))[s]] == list(range(len(falling)))
    assert all(len(falling[s]) == 1 or len(falling[s]) * falling[s][0] <= budget for s in slices)


@settings(deadline=None, max_examples=20, suppress_health_check=QUIET)
@given(rows=st.lists(st.integers(0, 59), min_size=1, max_size=12), budget=st.sampled_from([1, 40, 10_000]))
def test_a_vector_depends_on_its_text_alone(
    tiny_encoder: TextEncoder, sentences: list[str], rows: list[int], budget: int
) -> None:
    whole = encode(tiny_encoder, sentences, "query").unit_ND
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passes, "CPU_TOKENS_A_PASS", budget)
        got = encode(tiny_encoder, [sentences[i] for i in rows], "query").unit_ND
    torch.testing.assert_close(got, whole[rows], rtol=0, atol=1e-5)


def test_equal_texts_are_encoded_once(tiny_encoder: TextEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = 0
    forward = TextEncoder.forward

    def counted(self: TextEncoder, batch: TokenBatch) -> Encoded:
        nonlocal seen
        seen += len(batch.ids_BM)
        return forward(self, batch)

    monkeypatch.setattr(TextEncoder, "forward", counted)
    vectors = encode(tiny_encoder, ["the dog", "the cat", "the dog", "the dog"], "query")
    assert seen == 2
    assert torch.equal(vectors.unit_ND[0], vectors.unit_ND[3])


def test_texts_without_characters_and_too_long_ones_are_kept_and_counted(tiny_encoder: TextEncoder) -> None:
    vectors = encode(tiny_encoder, ["", "  ", "dog " * 100, "the dog"], "document")
    assert (vectors.empty, vectors.truncated) == (2, 1)
    torch.testing.assert_close(vectors.unit_ND.norm(dim=1), torch.ones(4))


def test_dropout_is_off_and_comes_back(tiny_encoder: TextEncoder, sentences: list[str]) -> None:
    tiny_encoder.train()
    first, second = (encode(tiny_encoder, sentences, "query").unit_ND for _ in range(2))
    assert torch.equal(first, second)
    assert tiny_encoder.training
    tiny_encoder.eval()


@pytest.mark.usefixtures("files_of_a_kilobyte")
def test_a_full_temporary_folder_is_told(tiny_encoder: TextEncoder, sentences: list[str]) -> None:
    assert len(encode(tiny_encoder, sentences, "query")) == len(sentences)
    for encoded in (encode, encode_tokens):
        with pytest.raises(UserError, match="no room for .* GiB of vectors .*; set TMPDIR"):
            encoded(tiny_encoder, sentences, "query", memory=100)
