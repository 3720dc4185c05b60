"""TwoStageRetriever: an export is data, sameness has no direction, and pairs get the query prompt on both sides."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from compret.evaluation.cosine_scorer import CosineScorer
from compret.evaluation.guard_files import save_verifier
from compret.evaluation.near_miss import NearMissSet
from compret.evaluation.retriever import TwoStageRetriever
from compret.evaluation.verifier_scorer import Recall, VerifierScorer
from compret.metrics.calibration import Calibration
from compret.nn.encoder import TextEncoder
from compret.nn.pair_scoring import score_pairs, token_states
from compret.nn.simmap import SimilarityMaps
from compret.nn.verifiers import MapCNN, MapTransformer, MaxSim, Residual, Verifier
from compret.types import UserError

CALIBRATION = Calibration(threshold=0.0, false_accept_rate=0.05, temperature=1.0, shift=0.0)


class Mine(Verifier):
    """A verifier of somebody's own."""

    def forward(self, maps: SimilarityMaps) -> Tensor:
        return maps.cosine_P


def verifier() -> Residual:
    torch.manual_seed(0)
    return Residual(MapTransformer(16, 1, 2, 32, max_length=32, dropout=0.0))


@pytest.fixture
def export(tmp_path: Path, tiny_encoder: TextEncoder) -> Path:
    tiny_encoder.save(tmp_path / "export")
    save_verifier(tmp_path / "export", verifier(), True, CALIBRATION, Recall())
    return tmp_path / "export"


def set_option(*path: str, value: Any = ...) -> Callable[[Path], None]:
    """Sets a value in verifier.json, or removes it."""

    def change(folder: Path) -> None:
        settings = json.loads((folder / "verifier.json").read_text())
        *parents, last = path
        part = settings
        for name in parents:
            part = part[name]
        part.pop(last, None)
        if value is not ...:
            part[last] = value
        (folder / "verifier.json").write_text(json.dumps(settings))

    return change


def text(content: str | bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / "verifier.json").write_bytes(
        content if isinstance(content, bytes) else content.encode()
    )


def weights(change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        path = folder / "verifier.safetensors"
        save_file(change(load_file(path)), path)

    return apply


def nested(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = {"class_path": "compret.nn.verifiers.maxsim.MaxSim", "init_args": {}}
    for _ in range(depth):
        inner = {"class_path": "compret.nn.verifiers.residual.Residual", "init_args": {"verifier": inner}}
    return inner


NAMED = ("verifier", "class_path")
INNER = ("verifier", "init_args", "verifier")
OPTIONS = (*INNER, "init_args")
REFUSED: dict[str, Callable[[Path], object]] = {
    "broken": text("{"),
    "a list": text("[]"),
    "null": text("null"),
    "not text": text(b"\xff\xfe"),
    "deep": text('{"a":' * 50_000 + "1" + "}" * 50_000),
    "deep lists": text('{"verifier": ' + "[" * 5000 + "]" * 5000 + "}"),
    "a bomb": text(json.dumps({"verifier": "x" * (5 << 20)})),
    "a huge number": text('{"recall_weight": ' + "9" * 10_000 + "}"),
    "no verifier": set_option("verifier"),
    "a verifier's name alone": set_option("verifier", value="MaxSim"),
    "no class": set_option(*NAMED),
    "a class that is a number": set_option(*NAMED, value=3),
    "the base class": set_option(*NAMED, value="compret.nn.verifiers.base.Verifier"),
    "a class of torch": set_option(*NAMED, value="torch.nn.modules.linear.Linear"),
    "deep verifiers": set_option("verifier", value=nested(30)),
    "special tokens in words": set_option("special_tokens", value="yes"),
    "no special tokens": set_option("special_tokens"),
    "a weight in words": set_option("recall_weight", value="heavy"),
    "calibration: a list": set_option("calibration", value=[]),
    "calibration: an empty one": set_option("calibration", value={}),
    "calibration: no threshold": set_option("calibration", "threshold"),
    "calibration: temperature 0": set_option("calibration", "temperature", value=0),
    "calibration: temperature below 0": set_option("calibration", "temperature", value=-1.0),
    "calibration: infinite temperature": set_option("calibration", "temperature", value=float("inf")),
    "calibration: huge temperature": set_option("calibration", "temperature", value=10**400),
    "calibration: NaN": set_option("calibration", "threshold", value=float("nan")),
    "calibration: text": set_option("calibration", "shift", value="0"),
    "calibration: a flag": set_option("calibration", "shift", value=True),
    "calibration: rate": set_option("calibration", "false_accept_rate", value=2),
    "options: a list": set_option("verifier", "init_args", value=[]),
    "options: another": set_option(*OPTIONS, "color", value=1),
    "options: temperature 0": set_option("verifier", "init_args", "temperature", value=0),
    "options: temperature in words": set_option("verifier", "init_args", "temperature", value="0.1"),
    "options: huge width": set_option(*OPTIONS, "width", value=1 << 40),
    "options: large width": set_option(*OPTIONS, "width", value=4096),
    "options: huge layers": set_option(*OPTIONS, "layers", value=1 << 40),
    "options: many layers": set_option(*OPTIONS, "layers", value=4000),
    "options: a patch of 0": set_option(*OPTIONS, "patch", value=0),
    "options: heads of 0": set_option(*OPTIONS, "heads", value=0),
    "options: a negative width": set_option(*OPTIONS, "width", value=-16),
    "options: text for a number": set_option(*OPTIONS, "width", value="16"),
    "options: a number for a flag": set_option(*OPTIONS, "bounded", value=1),
    "options: dropout 2": set_option(*OPTIONS, "dropout", value=2.0),
    "options: another verifier's": set_option(*INNER, value={"class_path": "compret.nn.verifiers.cnn.MapCNN"}),
    "options: a mapping for a number": set_option(*OPTIONS, "width", value={"a": 1}),
    "weights: none": lambda folder: (folder / "verifier.safetensors").unlink(),
    "weights: cut": lambda folder: os.truncate(folder / "verifier.safetensors", 3000),
    "weights: empty": lambda folder: os.truncate(folder / "verifier.safetensors", 0),
    "weights: other names": weights(lambda state: {f"x.{k}": v for k, v in state.items()}),
    "weights: one too few": weights(lambda state: dict(list(state.items())[1:])),
    "weights: one too many": weights(lambda state: {**state, "x": torch.zeros(2)}),
    "weights: other shapes": weights(lambda state: {k: v.flatten() for k, v in state.items()}),
    "weights: NaN": weights(lambda state: {k: v * float("nan") for k, v in state.items()}),
    "weights: a link out": lambda folder: (
        (folder / "verifier.safetensors").rename(folder.parent / "v.safetensors"),
        (folder / "verifier.safetensors").symlink_to(folder.parent / "v.safetensors"),
    ),
    "settings: a link out": lambda folder: (
        (folder / "verifier.json").rename(folder.parent / "v.json"),
        (folder / "verifier.json").symlink_to(folder.parent / "v.json"),
    ),
    "settings: a folder": lambda folder: ((folder / "verifier.json").unlink(), (folder / "verifier.json").mkdir()),
    "recall: a link out": lambda folder: (folder / "recall").symlink_to("/etc"),
    "recall: an empty folder": lambda folder: (folder / "recall").mkdir(),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_export_that_is_not_as_written_is_one_line(export: Path, case: str) -> None:
    REFUSED[case](export)
    with pytest.raises(UserError) as error:
        TwoStageRetriever.from_pretrained(export)
    assert "\n" not in str(error.value)
    assert "export" in str(error.value)
    assert len(str(error.value)) < 700


@pytest.mark.parametrize("place", [("verifier",), INNER])
@pytest.mark.parametrize(
    ("named", "options"),
    [
        ("subprocess.Popen", {"args": ["touch", "CANARY"]}),
        ("os.system", {"command": "touch CANARY"}),
        ("builtins.open", {"file": "CANARY", "mode": "w"}),
        ("torch.load", {"f": "CANARY"}),
        ("beside.Evil", {}),
        ("beside", {}),
        ("compret.nn.verifiers.description.inspect.os.system", {"command": "touch CANARY"}),
        ("", {}),
    ],
)
def test_an_export_runs_nothing_that_it_names(
    export: Path, monkeypatch: pytest.MonkeyPatch, place: tuple[str, ...], named: str, options: dict[str, Any]
) -> None:
    canary = export.parent / "canary"
    (export.parent / "beside.py").write_text(f"open({str(canary)!r}, 'w')\nclass Evil: ...\n")
    monkeypatch.chdir(export.parent)
    monkeypatch.syspath_prepend(export.parent)
    described = json.loads(json.dumps({"class_path": named, "init_args": options}).replace("CANARY", str(canary)))
    set_option(*place, value=described)(export)
    with pytest.raises(UserError, match="is no verifier of compret, and nothing else is imported"):
        TwoStageRetriever.from_pretrained(export)
    assert not canary.exists()


def test_a_verifier_of_ones_own_is_given_in_python(tmp_path: Path, tiny_encoder: TextEncoder) -> None:
    tiny_encoder.save(tmp_path / "export")
    save_verifier(tmp_path / "export", Residual(Mine()), True, CALIBRATION, Recall())
    with pytest.raises(UserError, match=r"from_pretrained\(verifiers=\[...\]\)"):
        TwoStageRetriever.from_pretrained(tmp_path / "export")
    retriever = TwoStageRetriever.from_pretrained(tmp_path / "export", verifiers=[Mine])
    assert isinstance(retriever.verifier.get_submodule("verifier"), Mine)


@pytest.mark.parametrize("kind", [MapCNN, lambda: MapCNN(norm="batch", grid=32), verifier, MaxSim])
def test_an_export_scores_as_what_was_exported(
    tmp_path: Path, tiny_encoder: TextEncoder, sentences: list[str], kind: Callable[[], Verifier]
) -> None:
    torch.manual_seed(1)
    before = TwoStageRetriever(tiny_encoder, kind(), calibration=CALIBRATION)
    tiny_encoder.save(tmp_path / "export")
    save_verifier(tmp_path / "export", before.verifier, True, CALIBRATION, Recall())
    after = TwoStageRetriever.from_pretrained(tmp_path / "export")
    for a, b in itertools.pairwise(sentences[:5]):
        assert after.same(a, b).score == pytest.approx(before.same(a, b).score, abs=1e-6)


@pytest.fixture
def guard(tiny_encoder: TextEncoder) -> TwoStageRetriever:
    return TwoStageRetriever(tiny_encoder, verifier(), calibration=CALIBRATION)


def test_sameness_has_no_direction(guard: TwoStageRetriever, sentences: list[str]) -> None:
    pairs = list(itertools.combinations(sentences[::6], 2))
    forth, back = ([guard.same(*pair) for pair in order] for order in (pairs, [pair[::-1] for pair in pairs]))
    assert forth == back


def test_a_text_is_the_same_as_itself_whatever_its_score(guard: TwoStageRetriever, sentences: list[str]) -> None:
    strict = Calibration(threshold=1e6, false_accept_rate=0.0, temperature=1.0, shift=0.0)
    guard = TwoStageRetriever(guard.encoder, guard.verifier, calibration=strict)
    assert all(guard.same(text, text).accept for text in [*sentences[:5], ""])
    assert not guard.same(*sentences[:2]).accept


def test_one_text_is_no_list_of_letters(guard: TwoStageRetriever) -> None:
    with pytest.raises(UserError, match=r"index: takes a list of texts, as in index\(\['a text'\]\)"):
        guard.index("text")
    guard.index(["a text"])
    with pytest.raises(UserError, match="search: takes a list"):
        guard.search("text")
    with pytest.raises(UserError, match="index: takes a list"):
        guard.index(["text", 3])  # type: ignore[list-item]


@pytest.mark.parametrize(("k", "recall"), [(3, 20), (10, 4), (99, 1)])
def test_a_search_finds_as_many_as_it_is_asked_for(
    guard: TwoStageRetriever, sentences: list[str], k: int, recall: int
) -> None:
    """However few are recalled; they are the best by the verifier of those that are."""
    found, near = guard.index(sentences[:30]).search(sentences[40:42], k, recall), max(k, recall)
    everything = guard.search(sentences[40:42], 30, 30)
    nearest = [guard.scorer.rank(Asked(sentences[:30], [query])) for query in sentences[40:42]]
    for hits, every, recalled in zip(found, everything, nearest, strict=True):
        assert recalled.recalled is not None
        among = {int(document) for document, _ in recalled.recalled["q"][:near]}
        assert [hit.row for hit in hits] == [hit.row for hit in every if hit.row in among][:k]


class Asked(NamedTuple):
    """Documents, and one query."""

    documents: list[str]
    queries: list[str]
    name: str = "asked"
    query_ids: Sequence[str] = ("q",)

    @property
    def document_ids(self) -> list[str]:
        return [f"{row:012d}" for row in range(len(self.documents))]


@pytest.fixture
def prompted(tmp_path: Path, new_backbone: Callable[..., Path]) -> TextEncoder:
    prompts = {"query": "the dog ", "document": "no cat "}
    return TextEncoder(str(new_backbone(tmp_path / "prompted", prompts=prompts))).eval()


def both_ways(encoder: TextEncoder, scorer: Verifier, a: str, b: str, kind: Any) -> float:
    """One pair, each text encoded alone."""
    states = []
    for text in (a, b):
        batch = encoder.tokenizer.pad(encoder.tokenizer([text], kind).ids)
        with torch.no_grad():
            states.append(token_states(encoder(batch), [(0, batch.lengths[0])]))
    with torch.no_grad():
        return float(score_pairs(scorer, *states) + score_pairs(scorer, *states[::-1])) / 2


def test_wherever_pairs_are_scored_both_sides_get_the_query_prompt(prompted: TextEncoder, sentences: list[str]) -> None:
    """In a test, for a threshold, and by the guard; with the verifier and with pooled cosine."""
    anchors, candidates = sentences[:8], sentences[8:16]
    data = NearMissSet("pairs", anchors, candidates, [0, 1] * 4, ["a"] * 8, "x")
    judge = verifier().eval()
    expected = [both_ways(prompted, judge, a, b, "query") for a, b in zip(anchors, candidates, strict=True)]
    others = [both_ways(prompted, judge, a, b, "document") for a, b in zip(anchors, candidates, strict=True)]
    assert np.abs(np.array(expected) - others).max() > 1e-2
    guard = TwoStageRetriever(prompted, judge, calibration=CALIBRATION)
    scorer = VerifierScorer(prompted, judge)
    for found in (
        scorer.pairs(anchors, candidates).scores_P,
        data.evaluate(scorer).scores_P,
        [guard.same(a, b).score for a, b in zip(anchors, candidates, strict=True)],
    ):
        np.testing.assert_allclose(found, expected, atol=2e-3)
    vectors = zip(*([pooled(prompted, text) for text in texts] for texts in (anchors, candidates)), strict=True)
    cosines = [torch.cosine_similarity(*pair).item() for pair in vectors]
    np.testing.assert_allclose(CosineScorer(prompted).pairs(anchors, candidates).scores_P, cosines, atol=1e-5)


def pooled(encoder: TextEncoder, text: str) -> Tensor:
    with torch.no_grad():
        return encoder(encoder.tokenizer.pad(encoder.tokenizer([text], "query").ids)).pooled_BD


def test_a_copied_export_is_the_same(export: Path, tmp_path: Path, sentences: list[str]) -> None:
    """Nothing in it depends on where it lies."""
    moved = shutil.copytree(export, tmp_path / "elsewhere")
    verdicts = [TwoStageRetriever.from_pretrained(path).same(*sentences[:2]) for path in (export, moved)]
    assert verdicts[0] == verdicts[1]
