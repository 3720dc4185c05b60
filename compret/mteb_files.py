"""`compret mteb`: the retrieval numbers of a results.json as files of MTEB's TaskResult, one a task."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compret.atomic import atomic_write
from compret.plain_parser import PlainParser
from compret.results_file import ResultsFile, read_results_file, stem
from compret.run_names import find_results
from compret.types import UserError

_MAIN = "ndcg@10"
_OTHERS = {"NanoClimateFEVER": "NanoClimateFeverRetrieval"}
_SPLITS = {True: "train", False: "test"}
"""Of NanoBEIR's sets, in their repositories of one set each, and of others."""


def mteb(arguments: Sequence[str]) -> int:
    """Write MTEB's TaskResult files from a results.json.

    Raises:
        UserError: no results.json there, none of retrieval in it, or the files cannot be written.
    """
    parser = PlainParser(
        prog="compret mteb",
        description="Write MTEB's TaskResult files from a results.json. The numbers are compret's, by the rules of "
        "sentence-transformers: MTEB's own leave out a document whose id is the query's.",
        epilog="Example: compret mteb logs/nanobeir/version_0 --out mteb",
    )
    parser.add_argument("results", type=Path, help="a results.json, its folder, or logs/NAME for the newest version")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the files go")
    parser.add_argument("--language", default="eng-Latn", help="of the sets, as MTEB has it; eng-Latn if not given")
    options = parser.parse_intermixed_args(arguments)
    results = read_results_file(find_results(options.results))
    retrieval = results.kinds.get("retrieval", {})
    if not retrieval:
        raise UserError(f"{results.path}: no retrieval in it; MTEB has no task for the rest")
    for name, metrics in retrieval.items():
        if metrics.get(_MAIN) is None:
            sys.stdout.write(f"left out: {name}, whose {_MAIN} is not defined\n")
            continue
        content = task_result(results, name, options.language)
        path = options.out / f"{stem(content['task_name'])}.json"
        with atomic_write(path) as file:
            json.dump(content, file, indent=2)
        sys.stdout.write(f"wrote: {path}\n")
    for kind in results.kinds.keys() - {"retrieval"}:
        sys.stdout.write(f"left out: {kind} ({', '.join(results.kinds[kind])}), which is no task of MTEB's\n")
    return 0


def task_result(results: ResultsFile, name: str, language: str) -> dict[str, Any]:
    """One set's numbers as MTEB's TaskResult has them; values that are not defined are left out."""
    metrics = results.kinds["retrieval"][name]
    scores = {_key(metric): value for metric, value in metrics.items() if isinstance(value, int | float)}
    entry = {**scores, "main_score": metrics[_MAIN], "hf_subset": "default", "languages": [language]}
    is_nano = name.startswith("Nano") and results.about(name).get("suite") == "NanoBEIR"
    return {
        "dataset_revision": results.about(name)["fingerprint"],
        "task_name": _OTHERS.get(name, f"{name.removesuffix('Retrieval')}Retrieval") if is_nano else name,
        "mteb_version": None,  # it did not measure this
        "scores": {_SPLITS[is_nano]: [entry]},
        "evaluation_time": sum(results.timing[name].values()),
        "kg_co2_emissions": None,
    }


def _key(metric: str) -> str:
    """ndcg@10 as ndcg_at_10; accuracy, a hit among the first k, is MTEB's hit rate."""
    return metric.replace("accuracy@", "hit_rate@").replace("@", "_at_")
