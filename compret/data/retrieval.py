"""Retrieval sets from hub repositories, local folders laid out like them, and BEIR directories."""

from __future__ import annotations

import difflib
import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from compret.data.fields import checked_id, checked_text, id_field
from compret.data.records import Record, fingerprint, read_records
from compret.data.sources import hub_id, open_part
from compret.evaluation.retrieval import RetrievalSet
from compret.files import local_path
from compret.types import UserError

log = logging.getLogger(__name__)

NANO_NAMES: Mapping[str, str] = {
    "climatefever": "NanoClimateFEVER",
    "dbpedia": "NanoDBPedia",
    "fever": "NanoFEVER",
    "fiqa2018": "NanoFiQA2018",
    "hotpotqa": "NanoHotpotQA",
    "msmarco": "NanoMSMARCO",
    "nfcorpus": "NanoNFCorpus",
    "nq": "NanoNQ",
    "quoraretrieval": "NanoQuoraRetrieval",
    "scidocs": "NanoSCIDOCS",
    "arguana": "NanoArguAna",
    "scifact": "NanoSciFact",
    "touche2020": "NanoTouche2020",
}
"""The 13 sets by sentence-transformers' names, and the splits that hold them."""

_LARGEST_GRADE = 1_000_000
_PARTS = ("corpus", "queries", "qrels")
Rows = Callable[[], Iterable[Record]]


@dataclass(frozen=True)
class Source:
    """Where one dataset's rows come from: three readers, so that nothing is opened before it is wanted."""

    name: str
    suite: str
    corpus: Rows
    queries: Rows
    qrels: Rows
    origin: Mapping[str, object] = field(default_factory=dict)


def find_sources(source: str, datasets: list[str] | None) -> list[Source]:
    """The datasets of a source by name; all that it has when no names are given.

    Args:
        source: a folder or hub id in NanoBEIR-en layout (configs corpus, queries, qrels; one split a dataset), with
            `@revision` where one is pinned; an owner with one repository a dataset (`zeta-alpha-ai`), `BeIR` with its
            `-qrels` repositories, a folder of BEIR directories, or `pydoc`.
        datasets: names; for the Nano layouts those of sentence-transformers, else the folders' or repositories' own.

    Raises:
        UserError: a name that the source does not have.
    """
    if source == "pydoc":
        return [_pydoc(name) for name in datasets or ["stdlib"]]
    root = local_path(source)
    if root.is_dir():
        names = datasets or sorted(p.parent.name for p in root.glob("*/corpus.jsonl")) or list(NANO_NAMES)
        _check_inside(names)
        return [_local(root, name) for name in names]
    if root.is_absolute() or source.startswith("."):
        raise UserError(f"{source}: no such folder; give a folder of BEIR directories or a hub id")
    if "/" not in source and "@" in source:
        raise UserError(f"{source}: a revision is that of one repository; give owner/name@revision")
    hub_id(source if "/" in source else f"{source}/any")
    if source.lower() == "beir":
        return [_beir_hub("BeIR", name) for name in datasets or _needed(source)]
    return [_nano_hub(source, name) for name in datasets or NANO_NAMES]


def load_retrieval_set(source: Source, distractors: int | None = None, seed: int = 42) -> RetrievalSet:
    """Read one dataset: documents as title and text, judged queries only, each judgement checked against the ids.

    Empty documents and queries are left out and counted, as in sentence-transformers' NanoBEIREvaluator: what is judged
    of an empty document stays judged, and is never found.

    Args:
        distractors: keep the judged documents and this many others, drawn with `seed`; all if None (the paper's
            Touche-2020 has 30,000).

    Raises:
        UserError: a missing column, an id twice, a judgement of an unknown id; the message names the place.
    """
    documents = _texts(source.corpus(), titled=True)
    queries = _texts(source.queries(), titled=False)
    qrels = _judgements(source.qrels(), documents, queries)
    for what, found in (("documents", documents), ("queries", queries), ("judgements", qrels)):
        if not found:
            raise UserError(f"{source.name}: no {what}")
    dropped = {what: _drop_empty(texts) for what, texts in (("documents", documents), ("queries", queries))}
    for what, count in dropped.items():
        if count:
            log.info("%s: %d empty %s are left out, as in sentence-transformers", source.name, count, what)
    if distractors is not None:
        documents = _subset(documents, {d for judged in qrels.values() for d in judged}, distractors, seed)
    queries = {q: queries[q] for q in queries if q in qrels}
    qrels = {q: judged for q, judged in qrels.items() if q in queries}
    rows = [f"{q} {d} {grade}" for q, judged in qrels.items() for d, grade in judged.items()]
    texts = [*documents, *documents.values(), *queries, *queries.values()]
    return RetrievalSet(
        name=source.name,
        suite=source.suite,
        document_ids=list(documents),
        documents=list(documents.values()),
        query_ids=list(queries),
        queries=list(queries.values()),
        qrels=qrels,
        fingerprint=fingerprint([*texts, *rows]),
        origin=source.origin,
        counts={f"dropped_empty_{what}": count for what, count in dropped.items()},
    )


def _texts(records: Iterable[Record], titled: bool) -> dict[str, str]:
    texts: dict[str, str] = {}
    for place, row in records:
        key = id_field(place, row, "_id", "id", "query-id", "corpus-id")
        if key in texts:
            raise UserError(f"{place}: the id '{key}' stands there twice")
        text, title = _cell(place, row, "text"), _cell(place, row, "title", "") if titled else ""
        texts[key] = f"{title} {text}".strip() if title else text
    return texts


def _cell(place: str, row: Mapping[str, Any], name: str, absent: str | None = None) -> str:
    """A text that may be empty.

    Args:
        absent: what a row has that lacks it; it must not if None.
    """
    value = row.get(name)
    if value is None and absent is None:
        raise UserError(f"{place}: no column '{name}' (it has {', '.join(row) or 'none'})")
    return checked_text(place, name, absent if value is None else value)


def _drop_empty(texts: dict[str, str]) -> int:
    empty = [key for key, text in texts.items() if not text]
    for key in empty:
        del texts[key]
    return len(empty)


def _judgements(
    records: Iterable[Record], documents: Mapping[str, str], queries: Mapping[str, str]
) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = {}
    for place, row in records:
        query, grade = id_field(place, row, "query-id"), _grade(place, row.get("score", 1))
        if query not in queries:
            raise UserError(f"{place}: query-id '{query}' is not among the queries")
        for document in _judged(place, row):
            if document not in documents:
                raise UserError(f"{place}: corpus-id '{document}' is not in the corpus")
            before = qrels.setdefault(query, {}).setdefault(document, grade)
            if before != grade:
                raise UserError(
                    f"{place}: query '{query}', document '{document}' is judged twice, {before} and {grade}"
                )
    return qrels


def _judged(place: str, row: dict[str, Any]) -> list[str]:
    """The documents of a judgement: one, or a list of them in NanoBEIR's layout."""
    found = row.get("corpus-id")
    if isinstance(found, list):
        return [checked_id(place, "corpus-id", document) for document in found]
    return [id_field(place, row, "corpus-id")]


def _grade(place: str, value: Any) -> int:
    try:
        grade = float(value)
    except (TypeError, ValueError, OverflowError):
        grade = math.nan
    if not grade.is_integer() or abs(grade) > _LARGEST_GRADE:
        raise UserError(f"{place}: score '{value}' is not a whole number of at most {_LARGEST_GRADE:,}")
    return int(grade)


def _check_inside(names: Iterable[str]) -> None:
    for name in names:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise UserError(f"data.datasets {name}: a dataset's name leads to a folder within the source")


def _subset(documents: dict[str, str], judged: set[str], others: int, seed: int) -> dict[str, str]:
    free = [d for d in documents if d not in judged]
    drawn = np.random.default_rng(seed).choice(len(free), size=min(others, len(free)), replace=False)
    keep = judged | {free[i] for i in drawn}
    log.info("%d judged documents and %d others, drawn with seed %d, are kept", len(judged), len(drawn), seed)
    return {d: text for d, text in documents.items() if d in keep}


def _local(root: Path, name: str) -> Source:
    """One dataset of a folder, whichever of the layouts it has."""
    if (root / name / "corpus.jsonl").is_file():
        return _beir_directory(root / name, name)
    if (root / f"{name}-qrels").is_dir():
        return _beir_hub(str(root), name)
    if any(root.glob("*/corpus.jsonl")):
        raise _unknown(str(root), name, [p.parent.name for p in root.glob("*/corpus.jsonl")])
    split = _nano(str(root), name)
    return _one_repository(str(root), split) if (root / split).is_dir() else _one_split(str(root), split)


def _beir_directory(folder: Path, name: str) -> Source:
    def rows(file: str) -> Rows:
        return partial(read_records, folder / file)

    return Source(name, "BEIR", rows("corpus.jsonl"), rows("queries.jsonl"), rows("qrels/test.tsv"))


def _nano_hub(source: str, name: str) -> Source:
    return _one_split(source, _nano(source, name)) if "/" in source else _one_repository(source, _nano(source, name))


def _one_split(source: str, split: str) -> Source:
    """NanoBEIR-en: one repository, configs corpus, queries, qrels, one split a dataset."""
    corpus, queries, qrels = (partial(_part, source, config, split) for config in _PARTS)
    return Source(split, "NanoBEIR", corpus, queries, qrels, _pinned(source))


def _one_repository(owner: str, name: str) -> Source:
    """zeta-alpha-ai: one repository a dataset, configs corpus, queries, qrels, split train."""
    corpus, queries, qrels = (partial(_part, f"{owner}/{name}", config, "train") for config in _PARTS)
    return Source(name, "NanoBEIR", corpus, queries, qrels)


def _beir_hub(owner: str, name: str) -> Source:
    """BeIR: configs and splits corpus, queries; judgements in the repository with `-qrels` behind its name."""
    corpus, queries = (partial(_part, f"{owner}/{name}", part, part) for part in _PARTS[:2])
    return Source(name, "BEIR", corpus, queries, partial(_part, f"{owner}/{name}-qrels", None, "test"))


def _part(source: str, config: str | None, split: str) -> Iterator[Record]:
    return open_part(source, config, split).records()


def _pinned(source: str) -> dict[str, object]:
    """Hub id -> revision, where the user pinned one."""
    name, _, revision = source.partition("@")
    return {} if Path(source).is_dir() or not revision else {name: {"revision": revision}}


def _pydoc(name: str) -> Source:
    from compret.data.pydoc import pydoc

    roots = {"stdlib": "beir", "dev": "validation"}
    if name not in roots:
        raise _unknown("pydoc", name, list(roots))
    made = pydoc()
    return replace(_beir_directory(getattr(made, roots[name]) / name, name), origin={"pydoc": made.fingerprint})


def _nano(source: str, name: str) -> str:
    split = NANO_NAMES.get(name.lower().removeprefix("nano"))
    if split is None:
        raise _unknown(source, name, list(NANO_NAMES))
    return split


def _unknown(source: str, name: str, known: list[str]) -> UserError:
    plain = {other.lower(): other for other in known}
    close = [plain[found] for found in difflib.get_close_matches(name.lower().removeprefix("nano"), plain, 1)]
    hint = f"did you mean '{close[0]}'? " if close else ""
    return UserError(f"{source}: no dataset '{name}'; {hint}it has {', '.join(sorted(known))}")


def _needed(source: str) -> list[str]:
    raise UserError(f"{source}: name the datasets, such as --data.datasets [scifact]")
