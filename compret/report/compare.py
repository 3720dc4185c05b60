"""Whether two runs' numbers may stand side by side, and how sure their difference is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from compret.files import read_json_lines
from compret.metrics.stats import difference_interval
from compret.report.runs import Measured
from compret.types import UserError

Column = Sequence[Measured]


def differences(ours: Column, theirs: Column) -> list[str]:
    """What was not the same when two means were measured: their sets, or how; nothing if all was.

    Sets are the same if their fingerprints are, whatever their names.
    """
    mine, other = ({m.fingerprint: m for m in column} for column in (ours, theirs))
    said = [*_sets("also over", mine, other), *_sets("without", other, mine)]
    for fingerprint in [fingerprint for fingerprint in mine if fingerprint in other]:
        a, b = mine[fingerprint].conditions, other[fingerprint].conditions
        said += [f"{key} {a.get(key)}, not {b.get(key)}" for key in {**a, **b} if a.get(key) != b.get(key)]
    return list(dict.fromkeys(said))


def _sets(word: str, these: dict[str, Measured], those: dict[str, Measured]) -> Iterator[str]:
    names, others = [m.name for f, m in these.items() if f not in those], {m.name for m in those.values()}
    if names:
        yield f"{word} {', '.join(f'{n} (other data of that name)' if n in others else n for n in names)}"


def query_interval(ours: Column, theirs: Column) -> tuple[float, float] | None:
    """95 % interval of the difference of two means over the same sets, over their queries (see `difference_interval`).

    Each set counts the same, however many queries it has, as it does in the mean. None for fewer than two queries, and
    for sets that have none.

    Raises:
        UserError: a file of values by query is missing, not as compret writes it, or of other queries.
    """
    other = {m.fingerprint: m for m in theirs}
    if any(m.per_query is None for m in ours):
        return None
    pairs = [(_by_query(m), _by_query(other[m.fingerprint])) for m in ours]
    for measured, (a, b) in zip(ours, pairs, strict=True):
        if a.keys() != b.keys():
            raise UserError(f"{measured.per_query}: not the queries of {other[measured.fingerprint].per_query}")
    total = sum(len(a) for a, _ in pairs)
    weights = [total / (len(pairs) * len(a)) if a else 0.0 for a, _ in pairs]
    weighted = zip(weights, pairs, strict=True)
    rows = np.array([(w * a[query], w * b[query]) for w, (a, b) in weighted for query in a]).reshape(-1, 2)
    return difference_interval(rows[:, 0], rows[:, 1])


def _by_query(measured: Measured) -> dict[str, float]:
    rows = read_json_lines(measured.per_query) if measured.per_query else ()
    return {row.text("query"): row.number(measured.metric) for row in rows}
