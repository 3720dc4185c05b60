"""Joint sequences: those that the tokenizer makes of two texts, though they are made of each text's ids."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers.processors import BertProcessing, RobertaProcessing, TemplateProcessing

from compret.nn.backbone import load_backbone
from compret.nn.joint_tokens import Joiner, TextIds
from compret.nn.passes import passes_of
from compret.nn.tokenizer import TextTokenizer
from compret.types import UserError

TEXTS = ["the dog bit the man", "a cat", "", "the old house in the river is not small", "zzz 9 ,"]
PROCESSORS = {
    "bert": BertProcessing(("[SEP]", 3), ("[CLS]", 2)),
    "roberta": RobertaProcessing(("[SEP]", 3), ("[CLS]", 2)),
    "none": TemplateProcessing(single="$A", pair="$A $B:1"),
    "end": TemplateProcessing(single="$A [SEP]", pair="$A [SEP] $B:1 [SEP]:1", special_tokens=[("[SEP]", 3)]),
}


def tokenizer_of(tiny: Path, kind: str) -> TextTokenizer:
    tokenizer = TextTokenizer(tiny, 32, {"query": "", "document": ""})
    tokenizer.fast = copy.deepcopy(tokenizer.fast)
    tokenizer.fast.backend_tokenizer.post_processor = PROCESSORS[kind]
    return tokenizer


@pytest.mark.parametrize("kind", PROCESSORS)
def test_pairs_are_those_of_the_tokenizer(tiny: Path, kind: str) -> None:
    tokenizer = tokenizer_of(tiny, kind)
    left, right = (TextIds.of(tokenizer(texts, "query").ids) for texts in (TEXTS, TEXTS[::-1]))
    pairs = np.array([(i, j) for i in range(len(TEXTS)) for j in range(len(TEXTS)) if TEXTS[i] or TEXTS[-1 - j]])
    joiner = Joiner.of(tokenizer)
    joint = joiner.join(left, right, pairs, torch.device("cpu"))
    expected = [tokenizer.fast.backend_tokenizer.encode(TEXTS[i], TEXTS[-1 - j]) for i, j in pairs]
    assert joint.tokens.lengths == tuple(len(e.ids) for e in expected)
    assert joiner.lengths(left, right, pairs).tolist() == [len(e.ids) for e in expected]
    for row, encoding in enumerate(expected):
        n = len(encoding.ids)
        assert joint.tokens.ids_BM[row, :n].tolist() == encoding.ids
        assert set(joint.tokens.ids_BM[row, n:].tolist()) <= {0}
        assert joint.tokens.mask_BM[row].tolist() == [1] * n + [0] * (joint.tokens.mask_BM.shape[1] - n)
        if kind != "roberta":  # whose types are all 0
            assert joint.second_PM[row, :n].tolist() == encoding.type_ids


def test_minilms_pairs_are_its_own() -> None:
    tokenizer = TextTokenizer(
        load_backbone("sentence-transformers/all-MiniLM-L6-v2").transformer, 128, {"query": "", "document": ""}
    )
    texts = ["Is it safe?", "It isn't safe, is it? 中文 🙂"]
    joint = Joiner.of(tokenizer).join(
        *(TextIds.of(tokenizer([text], "query").ids) for text in texts), np.array([[0, 0]]), torch.device("cpu")
    )
    assert joint.tokens.ids_BM[0].tolist() == tokenizer.fast.backend_tokenizer.encode(*texts).ids


def test_a_tokenizer_that_joins_in_another_way_is_refused(tiny: Path) -> None:
    tokenizer = tokenizer_of(tiny, "bert")
    swapped = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $B:1 [SEP] $A [SEP]",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.fast.backend_tokenizer.post_processor = swapped
    with pytest.raises(UserError, match="its tokenizer joins two texts in no way that compret knows"):
        Joiner.of(tokenizer)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=50), st.integers(1, 100))
def test_groups_hold_each_pair_once_within_the_budget(lengths: list[int], budget: int) -> None:
    groups = passes_of(np.array(lengths), budget)
    assert sorted(np.concatenate(groups).tolist()) == list(range(len(lengths)))
    assert all(len(g) == 1 or len(g) * max(lengths[i] for i in g) <= budget for g in groups)
