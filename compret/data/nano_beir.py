"""NanoBEIR as a suite, and any other retrieval sets in BEIR's layouts."""

from __future__ import annotations

from compret.data.records import real_place
from compret.data.retrieval import Source, find_sources, load_retrieval_set
from compret.evaluation.retrieval import RetrievalSet
from compret.evaluation.suite import Suite
from compret.types import UserError


class NanoBEIR(Suite):
    """Retrieval sets: the 13 of NanoBEIR, and any others: it reads every BEIR directory and hub repository.

    Args:
        source: hub id (`owner/name`, `owner/name@revision`) or folder in NanoBEIR-en layout, an owner with one
            repository a dataset (`zeta-alpha-ai`), `BeIR`, a folder of BEIR directories, or `pydoc`, the embedded data.
        datasets: names, such as [msmarco,nq] or the folders' own; all that the source has if not given.
        distractors: keep the judged documents and this many others, drawn with `seed`.
        seed: of that draw.
    """

    def __init__(
        self,
        source: str = "sentence-transformers/NanoBEIR-en",
        datasets: list[str] | None = None,
        distractors: int | None = None,
        seed: int = 42,
    ) -> None:
        super().__init__()
        self.source, self.datasets = source, datasets
        self.distractors, self.seed = distractors, seed
        self._sources: list[Source] | None = None
        if distractors is not None and distractors < 0:
            raise UserError(f"data.distractors {distractors}: a number of documents, 0 or more")

    @property
    def sources(self) -> list[Source]:
        if self._sources is None:
            self._sources = find_sources(self.source, self.datasets)
        return self._sources

    def names(self) -> list[str]:
        return [source.name for source in self.sources]

    def load(self, index: int) -> RetrievalSet:
        return load_retrieval_set(self.sources[index], self.distractors, self.seed)

    def places(self) -> list[str]:
        return [f"{real_place(self.source)} {name}" for name in self.names()]
