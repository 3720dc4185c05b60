"""The scorer protocol: whatever gives a suite its numbers ranks documents, and scores pairs of texts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from compret.metrics.near_miss import best_f1_threshold
from compret.metrics.ranking import Run


class Searchable(Protocol):
    """What a ranking is made of: documents, and queries that are asked for them."""

    @property
    def name(self) -> str: ...
    @property
    def document_ids(self) -> Sequence[str]: ...
    @property
    def documents(self) -> Sequence[str]: ...
    @property
    def query_ids(self) -> Sequence[str]: ...
    @property
    def queries(self) -> Sequence[str]: ...


class LabelledPairs(Protocol):
    """Pairs that are known to say the same (1) or not (0)."""

    @property
    def name(self) -> str: ...
    @property
    def anchors(self) -> Sequence[str]: ...
    @property
    def candidates(self) -> Sequence[str]: ...
    @property
    def labels(self) -> Sequence[int]: ...
    @property
    def fingerprint(self) -> str: ...


@dataclass(frozen=True)
class Rankings:
    """The best documents of each query."""

    run: Run
    """Query id -> (document id, score), best first: the ranking that counts."""
    counts: Mapping[str, int]
    """What was done to the texts on the way."""
    seconds: Mapping[str, float]
    recalled: Run | None = None
    """The recall stage's ranking, if there were two stages."""


@dataclass(frozen=True)
class ScoredPairs:
    """A score of each of P pairs."""

    scores_P: NDArray[np.float64]
    """Higher for closer; finite."""
    counts: Mapping[str, int]
    """What was done to the texts on the way."""
    seconds: Mapping[str, float]


class Scorer(ABC):
    """Ranks and scores with weights that stay as they are.

    Args:
        threshold: at or above it pairs are called the same, where a set brings no validation pairs of its own.
    """

    name: ClassVar[str]
    """Part of the logged names: cosine, verifier."""

    def __init__(self, threshold: float | None = None) -> None:
        self.threshold = threshold
        self._best: dict[str, float | None] = {}

    @abstractmethod
    def rank(self, texts: Searchable) -> Rankings:
        """Rank the documents for each query."""

    @abstractmethod
    def pairs(self, anchors: Sequence[str], candidates: Sequence[str], progress: str = "") -> ScoredPairs:
        """Whether each anchor says the same as its candidate. Sameness has no direction: (a, b) scores as (b, a).

        Args:
            progress: name of the progress bar; none is shown if empty.
        """

    @abstractmethod
    def relevance(
        self, queries: Sequence[str], documents: Sequence[str], rows_P2: NDArray[np.int64], progress: str = ""
    ) -> ScoredPairs:
        """How well documents answer queries, each text with the prompt of its kind.

        Args:
            rows_P2: a query and a document of each pair, by their numbers.
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What results.json says of the model: plain values by name."""

    def best_threshold(self, validation: LabelledPairs) -> float | None:
        """The threshold of the best F1 on validation pairs, found once for all sets that share them."""
        if validation.fingerprint not in self._best:
            found = self.pairs(validation.anchors, validation.candidates, validation.name)
            self._best[validation.fingerprint] = best_f1_threshold(found.scores_P, np.array(validation.labels))
        return self._best[validation.fingerprint]
