"""Two stages: pooled cosine recalls documents, and what is slower orders them."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from compret.evaluation.cosine_scorer import text_counts
from compret.evaluation.encode import Vectors
from compret.evaluation.retrieve import DEPTH, Ranking
from compret.evaluation.scorer import Rankings, Scorer, Searchable
from compret.types import Kind

Indexed = TypeVar("Indexed")


class TwoStageScorer(Scorer, Generic[Indexed]):
    """A scorer that orders anew the documents that pooled cosine recalls; texts are indexed once for both stages."""

    def rank(self, texts: Searchable) -> Rankings:
        """Recall the best 100 documents of each query by pooled cosine, and order them by the second stage."""
        start = time.perf_counter()
        documents = self.index(texts.documents, "document", f"{texts.name} documents")
        queries = self.index(texts.queries, "query", f"{texts.name} queries")
        encoded = time.perf_counter()
        recalled = self.recalled(queries, documents, texts.document_ids)
        searched = time.perf_counter()
        reranked = self.reranked(queries, documents, recalled, texts.name)
        first, second = (ranking.run(texts.query_ids, texts.document_ids) for ranking in (recalled, reranked))
        seconds = {"encode": encoded - start, "search": searched - encoded, "rerank": time.perf_counter() - searched}
        return Rankings(second, text_counts(self.vectors(documents), self.vectors(queries)), seconds, first)

    @abstractmethod
    def index(self, texts: Sequence[str], kind: Kind, progress: str = "") -> Indexed:
        """Encode texts, each once, for both stages."""

    @abstractmethod
    def vectors(self, indexed: Indexed) -> Vectors:
        """Pooled vectors, which know what was done to the texts."""

    @abstractmethod
    def recalled(self, queries: Indexed, documents: Indexed, ids: Sequence[str], depth: int = DEPTH) -> Ranking:
        """The best documents by pooled cosine."""

    @abstractmethod
    def reranked(self, queries: Indexed, documents: Indexed, recalled: Ranking, progress: str = "") -> Ranking:
        """The recalled documents in the order of the second stage."""
