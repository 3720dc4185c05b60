"""results.json, the files beside it and `compret report`: numbers as they were written, or one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compret.evaluation.near_miss import NearMissResult, NearMissSet
from compret.evaluation.nevir import ContrastSet, NevIRResult
from compret.evaluation.results import Results
from compret.evaluation.retrieval import measured
from compret.metrics.near_miss import near_miss_metrics
from compret.metrics.nevir import paired_accuracy
from compret.types import UserError
from tests.fuzz.cases import break_bytes, break_file, cases, check_line, check_run, mutated, one_of

Run = Callable[..., tuple[int, str]]


def some_results() -> Results:
    """Of each kind one set, with ids and texts that are legal and odd."""
    rng = np.random.default_rng(0)
    documents = [f"d{i} a%b\u2028" for i in range(12)]
    run = {
        f"q {i}": [(d, float(s)) for d, s in zip(documents, -np.sort(rng.random(12)), strict=True)] for i in range(5)
    }
    qrels = {f"q {i}": {documents[(i * 5) % 12]: 1, documents[i]: 0} for i in range(5)}
    seconds = {"encode": 0.5}
    retrieval = [
        measured(
            *(run, qrels, run if name == "b/c" else None),
            **{"name": name, "suite": "BEIR", "fingerprint": name, "score": "cosine"},
            **{"counts": {"documents": 12}, "seconds": seconds},
        )
        for name in ("a", "b/c")
    ]
    texts = [f"text {i}\n\u0085" for i in range(8)]
    labels, scores_P = [0, 1] * 4, rng.random(8)
    pairs = NearMissSet("p", texts, texts[::-1], labels, ["x", "y"] * 4, "p")
    metrics = near_miss_metrics(scores_P, labels, pairs.categories, texts, rng.random(8), 0.5, rng.random(8))
    facts: dict[str, Any] = {"score": "cosine", "seconds": seconds}
    near_miss = NearMissResult(
        **facts, name="p", fingerprint="p", metrics=metrics, counts={"pairs": 8}, data=pairs, scores_P=scores_P
    )
    contrast, scores_P22 = ContrastSet("n", [("a", "b")] * 3, [("c", "d")] * 3, "n"), rng.random((3, 2, 2))
    accuracy = {"paired_accuracy": paired_accuracy(scores_P22)}
    nevir = NevIRResult(
        **facts, name="n", fingerprint="n", metrics=accuracy, counts={"pairs": 3}, data=contrast, scores_P22=scores_P22
    )
    meta = {"max_length": 32, "search": "exact", "backbone": "tiny", "special_tokens": True}
    return Results(meta, [*retrieval, near_miss, nevir])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return some_results().write(tmp_path_factory.mktemp("results") / "run").parent


def numbers(results: Results) -> str:
    return json.dumps(results.to_dict(), sort_keys=True)


def test_untouched_results_read_back_the_same(written: Path) -> None:
    assert numbers(Results.read(written)) == numbers(some_results())


@pytest.mark.parametrize("seed", cases(120))
def test_results_are_read_or_refused(written: Path, compret: Run, tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    folder = shutil.copytree(written, tmp_path / "run")
    path = folder / "results.json"
    if rng.random() < 0.7:
        path.write_text(json.dumps(mutated(json.loads(path.read_text()), rng)))
    else:
        break_file(path, rng)
    code, said = compret("report", "run", f"other={written}", "run,run")
    check_run(code, said)
    assert code == 2 or "nan" not in said
    try:
        Results.read(folder).recomputed()
    except UserError as error:
        check_line(error)


@pytest.mark.parametrize("seed", cases(120))
def test_files_beside_results_are_whole_or_refused(written: Path, compret: Run, tmp_path: Path, seed: int) -> None:
    """Rows that are gone are missed, since results.json says how many there were."""
    rng = np.random.default_rng(seed)
    folder = shutil.copytree(written, tmp_path / "run")
    path = one_of(sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "results.json"), rng)
    content, what = path.read_bytes(), one_of(["fewer lines", "damaged", "gone", "a folder", "a device"], rng)
    path.unlink()
    if what == "fewer lines":
        lines = content.splitlines(keepends=True)
        path.write_bytes(b"".join(lines[: int(rng.integers(len(lines)))]))
    elif what == "damaged":
        path.write_bytes(break_bytes(content, rng))
    elif what == "a folder":
        path.mkdir()
    elif what == "a device":
        path.symlink_to("/dev/zero")
    check_run(*compret("report", "run", f"other={written}"))
    try:
        read = Results.read(folder)
        again = read.recomputed()
    except UserError as error:
        check_line(error)
    else:
        assert what in ("fewer lines", "damaged")
        assert numbers(read) == numbers(some_results()) or what == "damaged"
        assert what == "damaged" or path.parent.name in ("runs", "qrels"), f"{path.name}: rows are lost"
        assert "NaN" not in numbers(again)


WORDS: list[Any] = [
    *(
        "",
        "=",
        ",",
        "a=",
        "=run",
        "run,",
        ",run",
        "a=b=run",
        "run=run",
        "run/results.json",
        "run/runs",
        "none",
        "../run",
    ),
    *(
        "/dev/null",
        "/dev/zero",
        "/dev/stdin",
        "x" * 300,
        "x" * 5000,
        "a\nb=run",
        "\ud800=run",
        "日本=run",
        "|=run",
        "-",
    ),
    *(
        "run\0",
        "--figure",
        "--figure=",
        "--figure=run",
        "--figure=a.xyz",
        "--figure=a.png",
        "--figure=none/a.png",
        "-h",
    ),
    *("--figure=/dev/full", "--no", "*", "~", "~nobody/run", "$(touch canary)=run", "$x$=run", "a_{b=run"),
]


@pytest.mark.filterwarnings("ignore:Glyph")  # a name in letters that the figure's font lacks
@pytest.mark.parametrize("seed", cases(80))
def test_report_takes_any_words(written: Path, compret: Run, tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    (tmp_path / "run").symlink_to(written)
    words = [one_of(["run", *WORDS], rng) for _ in range(int(rng.integers(1, 4)))]
    code, said = compret("report", *words)
    check_run(code, said)
    assert code == 2 or said.startswith("usage: ") or said.count("\n") >= 2
    assert not (tmp_path / "canary").exists()
