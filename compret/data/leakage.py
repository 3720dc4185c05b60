"""Leakage: training rows that hold a text of a near-miss set which the run validates or tests on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from compret.data.collate import text_key
from compret.evaluation.near_miss import NearMissSet
from compret.evaluation.suite import Suite

Leakage = Literal["drop", "refuse", "ignore"]


def near_miss_keys(suites: Sequence[Suite]) -> NDArray[np.int64]:
    """Hashes of all texts of the near-miss sets among some suites, sorted.

    Retrieval sets are left out: their documents may be trained on, and reading them takes long.
    """
    sets = (suite.load(i) for suite in suites if suite.holds is NearMissSet for i in range(len(suite.names())))
    texts = {text for data in sets if isinstance(data, NearMissSet) for text in _texts(data)}
    return np.array(sorted(map(text_key, texts)), dtype=np.int64)


def _texts(data: NearMissSet) -> Iterable[str]:
    yield from data.anchors
    yield from data.candidates


def leaked(keys_RC: NDArray[np.int64], seen: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows hold a text that was seen, `(R,)`.

    Args:
        keys_RC: hashes of each row's texts.
    """
    return np.asarray(np.isin(keys_RC, seen).any(axis=1), dtype=np.bool_)
