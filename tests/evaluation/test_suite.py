"""A suite's sets are read in their turn, and once where validation comes back to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from compret.data import NanoBEIR
from compret.evaluation.retrieval import RetrievalSet
from compret.evaluation.suite import suite_loader


@pytest.mark.parametrize(("keep", "reads"), [(True, 2), (False, 6)])
def test_kept_sets_are_read_once(beir: Path, keep: bool, reads: int) -> None:
    suite, read = NanoBEIR(str(beir), ["zoo", "park"]), []
    load = suite.load

    def counted(index: int) -> RetrievalSet:
        read.append(index)
        return load(index)

    suite.load = counted  # type: ignore[method-assign]
    loader = suite_loader(suite, keep)
    assert read == []
    for _ in range(3):
        assert [batch.content.name for batch in loader] == ["zoo", "park"]
    assert len(read) == reads
