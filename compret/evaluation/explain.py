"""Why two texts match: their scores, their tokens, and the similarity map that a verifier reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compret.evaluation.cosine_scorer import CosineScorer
from compret.evaluation.rerank import paired_scores
from compret.evaluation.retriever import Verdict, judged
from compret.evaluation.scoring_model import ScoringModel
from compret.evaluation.tokens import TokenIndex, encode_tokens
from compret.evaluation.verifier_scorer import VerifierScorer
from compret.nn.encoder import TextEncoder
from compret.nn.simmap import SimilarityMaps
from compret.nn.verifiers import Verifier

_WORDS = 1000
"""Of a text that are compared; encoders take fewer."""


@dataclass(frozen=True)
class Explanation:
    """What a model sees in two texts, of M and N tokens."""

    texts: tuple[str, str]
    tokens: tuple[list[str], list[str]]
    """Those in the map, as the tokeniser writes them: M of the first text, N of the second."""
    map_MN: NDArray[np.float32]
    """Cosine of each token of the first with each of the second, in [-1, 1]."""
    cosine: float
    """Pooled cosine, in [-1, 1], as a search would have it."""
    score: float | None
    """The verifier's, of both directions; None without one."""
    verdict: Verdict | None
    """By the calibrated threshold; None without one."""
    threshold: float | None
    truncated: int
    """Texts that lost their end to the length limit."""

    @property
    def best(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The best cosine that each token finds in the other text, `(M,)` and `(N,)`."""
        return self.map_MN.max(1), self.map_MN.max(0)


def explain(model: ScoringModel, text_a: str, text_b: str) -> Explanation:
    """Score two texts, and look at their similarity map; both get the query prompt, as all pairs do."""
    scorer, encoder, pair = model.scorer, model.scorer.encoder, ([text_a], [text_b])
    special = scorer.special_tokens if isinstance(scorer, VerifierScorer) else True
    texts = encode_tokens(encoder, [text_a, text_b], "query", special)
    recalling = (scorer.recall.encoder if isinstance(scorer, VerifierScorer) else None) or encoder
    score = float(scorer.pairs(*pair).scores_P[0]) if isinstance(scorer, VerifierScorer) else None
    calibration = model.calibration if score is not None else None
    return Explanation(
        texts=(text_a, text_b),
        tokens=(_tokens(encoder, text_a, special), _tokens(encoder, text_b, special)),
        map_MN=_map(texts, encoder.device),
        cosine=float(CosineScorer(recalling).pairs(*pair).scores_P[0]),
        score=score,
        verdict=judged(calibration, score, text_a == text_b) if calibration and score is not None else None,
        threshold=calibration.threshold if calibration else None,
        truncated=texts.vectors.truncated,
    )


def differing(text_a: str, text_b: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """The first 1,000 words of two texts, each with whether it is in none of their longest common subsequence.

    Case and punctuation around a word are no difference.
    """
    words_a, words_b = (text.split()[:_WORDS] for text in (text_a, text_b))
    common = _common([_bare(word) for word in words_a], [_bare(word) for word in words_b])
    kept_a, kept_b = ({pair[side] for pair in common} for side in (0, 1))
    return (
        [(word, place not in kept_a) for place, word in enumerate(words_a)],
        [(word, place not in kept_b) for place, word in enumerate(words_b)],
    )


def _bare(word: str) -> str:
    return word.lower().strip(".,;:!?\"'()") or word


def _common(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int]]:
    """Places of a longest common subsequence in both (Wagner and Fischer 1974)."""
    longest = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, j in product(reversed(range(len(a))), reversed(range(len(b)))):
        is_same = a[i] == b[j]
        longest[i][j] = 1 + longest[i + 1][j + 1] if is_same else max(longest[i + 1][j], longest[i][j + 1])
    found, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        if a[i] == b[j]:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif longest[i + 1][j] >= longest[i][j + 1]:
            i += 1
        else:
            j += 1
    return found


class _Seen(Verifier):
    """Keeps the map that verifiers are given."""

    def forward(self, maps: SimilarityMaps) -> Tensor:
        self.map_PMN = maps.map_PMN
        return maps.cosine_P


def _map(texts: TokenIndex, device: torch.device) -> NDArray[np.float32]:
    """Of the first text and the second, by the path on which verifiers get theirs."""
    seen = _Seen()
    paired_scores(seen, texts, texts, np.array([[0, 1]]), device)
    return seen.map_PMN[0].cpu().numpy()


def _tokens(encoder: TextEncoder, text: str, special: bool) -> list[str]:
    tokenizer = encoder.tokenizer
    ids = tokenizer([text], "query").ids[0]
    start, end = (0, len(ids)) if special else tokenizer.inner(len(ids))
    return list(_readable(tokenizer.fast.convert_ids_to_tokens(ids[start:end].tolist())))


def _readable(tokens: list[str]) -> Iterator[str]:
    """Tokens with the blank that they begin with, which byte-level and SentencePiece tokenisers write as a sign."""
    for token in tokens:
        yield token.replace("Ġ", "_").replace("▁", "_")
