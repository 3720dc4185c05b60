"""Texts to token ids as the checkpoint wants them: its length, its prompts, its special tokens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from compret.files import reading
from compret.types import Kind, TokenBatch, Tokenized, UserError

_BLOCK = 1 << 14
"""Texts tokenised at a time: what the tokeniser knows of a text takes far more memory than its ids."""


class TextTokenizer:
    """The tokeniser of a backbone, with the prompts for queries and documents; threads may share it.

    Args:
        folder: a folder with a fast Hugging Face tokenizer.
        max_length: tokens a text may have, special tokens included; longer texts lose their end.
        prompts: text put before each query and each document.

    Raises:
        UserError: the folder holds no fast tokenizer.
    """

    def __init__(self, folder: Path, max_length: int, prompts: dict[Kind, str]) -> None:
        self.fast = _load(folder)
        self.max_length = max_length
        self.prompts = prompts
        self.fast.backend_tokenizer.no_padding()
        self.fast.backend_tokenizer.enable_truncation(max_length)

    def __call__(self, texts: Sequence[str], kind: Kind) -> Tokenized:
        """Token ids of each text, not padded, and how many texts were cut at `max_length`."""
        prompt, truncated = self.prompts[kind], 0
        ids: list[NDArray[np.int32]] = []
        for start in range(0, len(texts), _BLOCK):
            prompted = [prompt + text for text in texts[start : start + _BLOCK]]
            encodings = self.fast.backend_tokenizer.encode_batch(prompted)
            ids += [np.array(e.ids, dtype=np.int32) for e in encodings]
            truncated += sum(bool(e.overflowing) for e in encodings)
        return Tokenized(ids, truncated)

    def pad(self, ids: Sequence[NDArray[np.int32]], multiple_of: int = 1) -> TokenBatch:
        """Right-padded `(B, M)` ids and mask, M the longest text rounded up to `multiple_of`, within `max_length`."""
        longest = max(map(len, ids))
        width = max(longest, min(-(-longest // multiple_of) * multiple_of, self.max_length))
        ids_BM = torch.full((len(ids), width), self.fast.pad_token_id or 0, dtype=torch.long)
        mask_BM = torch.zeros_like(ids_BM)
        for row, text in enumerate(ids):
            ids_BM[row, : len(text)] = torch.as_tensor(text)
            mask_BM[row, : len(text)] = 1
        return TokenBatch(ids_BM, mask_BM, tuple(map(len, ids)))

    @cached_property
    def special(self) -> tuple[int, int]:
        """How many special tokens stand before and after a text's own."""
        # not self.fast("a"): it turns the truncation off again
        mask = self.fast.backend_tokenizer.encode("a").special_tokens_mask
        return mask.index(0), mask[::-1].index(0)

    def inner(self, length: int) -> tuple[int, int]:
        """`[start, end)` of a text's own tokens among its `length`; all where there are only special ones."""
        before, after = self.special
        return (before, length - after) if length > before + after else (0, length)

    def save(self, folder: Path) -> None:
        self.fast.model_max_length = self.max_length
        self.fast.save_pretrained(str(folder))


def _load(folder: Path) -> Any:
    from transformers import AutoTokenizer

    with reading(f"{folder}: no tokenizer can be read there"):
        tokenizer = AutoTokenizer.from_pretrained(str(folder), use_fast=True, trust_remote_code=False)
    files = dict(tokenizer.vocab_files_names).values()
    if not any((folder / name).is_file() for name in files):  # of which transformers makes one that knows no word
        raise UserError(f"{folder}: no tokenizer there ({' or '.join(files)}); give the folder as it was saved")
    if not tokenizer.is_fast:
        raise UserError(f"{folder}: needs a fast tokenizer (tokenizer.json); save it once with transformers")
    return tokenizer
