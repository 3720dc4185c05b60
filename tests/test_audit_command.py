"""`compret audit`: what it prints and writes, thresholds by model, and mistakes in one line before torch is there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compret.evaluation.guard_files import save_verifier
from compret.evaluation.verifier_scorer import Recall
from compret.metrics.calibration import Calibration
from compret.nn.encoder import TextEncoder
from compret.nn.verifiers import MaxSim
from tests.conftest import write_lines
from tests.processes import COMPRET, outcome

Run = Callable[..., tuple[int, str]]
OWN = Calibration(threshold=0.75, false_accept_rate=0.05, temperature=1.0, shift=0.0)


def guard(folder: Path, encoder: TextEncoder, calibration: Calibration | None) -> Path:
    encoder.save(folder)
    save_verifier(folder, MaxSim(), True, calibration, Recall())
    return folder


def stored(folder: Path) -> Any:
    return json.loads((folder / "audit.json").read_text())


def kinds(folder: Path) -> list[str]:
    return [at["threshold"]["kind"] for at in stored(folder)["thresholds"]]


def test_an_encoder_is_audited_at_both_thresholds(compret: Run, tiny: Path, pairs: Path, tmp_path: Path) -> None:
    code, said = compret("audit", "--model", tiny, "--pairs", pairs, "--threshold", 0.9)
    folder = tmp_path / "logs" / "audit" / "version_0"
    assert code == 0, said
    assert kinds(folder) == ["given", "calibrated"]
    assert {row.split()[0] for row in said.splitlines() if row[:2] == "  " and row[2] in "op"} == {
        "order",
        "paraphrase",
    }
    assert "threshold 0.900: yours" in said
    assert "of half of pairs, whose texts stand in no tested pair (seed 42)" in said
    wrote = [line.removeprefix("wrote: ") for line in said.splitlines() if line.startswith("wrote: ")]
    assert {tmp_path / path for path in wrote} == {path for path in folder.rglob("*") if path.is_file()}
    last = stored(folder)["thresholds"][-1]["all"]
    assert last["false_accepts"]["of"] + last["lost"]["of"] == stored(folder)["pairs"]["counts"]["pairs"]
    assert said.strip().splitlines()[-1].startswith("next: ")
    compret("audit", "--model", tiny, "--pairs", pairs)
    assert kinds(tmp_path / "logs" / "audit" / "version_1") == ["calibrated"]


@pytest.mark.parametrize(
    ("calibration", "arguments", "expected"),
    [
        (OWN, [], ["own"]),
        (OWN, ["--threshold", 7], ["given", "own"]),
        (OWN, ["--budget", 0.1], ["own", "calibrated"]),
        (None, [], ["calibrated"]),
    ],
)
def test_a_guard_is_audited_at_its_own_threshold_unless_another_is_asked_for(
    compret: Run,
    tiny_encoder: TextEncoder,
    pairs: Path,
    tmp_path: Path,
    calibration: Calibration | None,
    arguments: list[object],
    expected: list[str],
) -> None:
    model = guard(tmp_path / "export", tiny_encoder, calibration)
    code, said = compret("audit", "--model", model, "--pairs", pairs, "--out", "out", *arguments)
    assert code == 0, said
    content = stored(tmp_path / "out")
    assert kinds(tmp_path / "out") == expected
    assert content["model"]["verifier"]["class_path"].endswith("MaxSim")
    # none is spent where none calibrates
    assert content["pairs"]["counts"]["pairs"] == (24 if "calibrated" in expected else 48)


def test_pairs_of_a_file_calibrate(compret: Run, tiny: Path, pairs: Path, tmp_path: Path) -> None:
    rows = [{"anchor": f"a dog {i}", "candidate": f"the cat {i}", "label": i % 2} for i in range(8)]
    other = write_lines(tmp_path / "other.jsonl", rows)
    code, said = compret("audit", "--model", tiny, "--pairs", pairs, "--calibrate", other, "--out", "out")
    assert code == 0, said
    content = stored(tmp_path / "out")
    assert (content["calibration"]["name"], content["calibration"]["near_misses"]) == ("other", 4)
    assert content["pairs"]["counts"]["pairs"] == 48


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "--model"),
        (["--model", "no/such/model"], "--model no/such/model: no such folder"),
        (["--model", "last.ckpt"], "--model last.ckpt: a file; give a model's folder, such as checkpoints/NAME"),
        (["--model", "."], "--model .: no model there"),
        (["--model", "none.ckpt"], "--model none.ckpt: no such folder"),
        (["--model", "TINY", "--pairs", "none.jsonl"], "none.jsonl: no such file"),
        (["--model", "TINY", "--pairs", "empty.jsonl"], "empty.jsonl: the file is empty"),
        (["--model", "TINY", "--pairs", "bare.jsonl"], "bare.jsonl: line 1: no column 'label'"),
        (["--model", "TINY", "--threshold", "1.5"], "--threshold 1.5: a cosine, from -1 to 1"),
        (["--model", "TINY", "--threshold", "nan"], "--threshold nan: a cosine"),
        (["--model", "TINY", "--threshold", "high"], "--threshold: invalid float value: 'high'"),
        (["--model", "TINY", "--budget", "1"], "--budget 1: a share of near-misses"),
        (["--model", "TINY", "--seed", "-1"], "--seed -1: at least 0"),
        (["--model", "TINY", "--out", "empty.jsonl"], "--out empty.jsonl: a file; give a folder"),
        (["--model", "TINY", "--calibrate", "minimal_pairs:test"], "those are the tested pairs"),
        (["--model", "TINY", "--treshold", "0.9"], "unrecognized arguments: --treshold 0.9"),
    ],
)
def test_a_mistake_is_one_line(compret: Run, tiny: Path, tmp_path: Path, arguments: list[str], told: str) -> None:
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "last.ckpt").touch()
    write_lines(tmp_path / "bare.jsonl", [{"anchor": "a", "candidate": "b"}])
    code, said = compret("audit", *(str(tiny) if word == "TINY" else word for word in arguments))
    assert code == 2
    assert told in said
    assert len(said.strip().splitlines()) == 1


def test_what_it_says_next_follows_from_what_it_found(compret: Run, tiny: Path, pairs: Path, tmp_path: Path) -> None:
    def next_of(rows: list[dict[str, object]], *arguments: object) -> str:
        file = write_lines(tmp_path / "now.jsonl", rows)
        said = compret("audit", "--model", tiny, "--pairs", file, "--out", "out", *arguments)[1]
        return next(line for line in said.splitlines() if line.startswith("next: "))

    same = [{"anchor": f"a dog saw {n}", "candidate": f"a dog saw {n}", "label": 1} for n in range(40)]
    other = [{"anchor": f"the cat {n}", "candidate": f"no red house of {n} in a list", "label": 0} for n in range(40)]
    assert "set the cache's threshold to" in next_of([*same, *other])
    assert "% of the paraphrases are lost; a verifier may do better: compret fit" in next_of(
        [{**row, "label": 1} for row in other] + other
    )
    fitted = write_lines(
        tmp_path / "fit.jsonl",
        [{**r, "anchor": f"x {r['anchor']}", "candidate": f"x {r['candidate']}"} for r in [*same, *other]],
    )
    swapped = [{**row, "label": 0, "candidate": f"{row['anchor']}."} for row in same]
    assert "more slips through" in next_of([*swapped, *same], "--calibrate", fitted, "--budget", 0)


def test_a_mistake_needs_no_torch(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    code = (
        "import sys; from compret.__main__ import main\n"
        "assert main(['audit', '--model', '.', '--threshold', '2']) == 2\n"
        "assert main(['audit', '--model', '.', '--pairs', 'none.jsonl']) == 2\n"
        "assert main(['explain', 'a', ' ']) == 2\n"
        "sys.exit(sorted({'torch', 'lightning', 'transformers', 'matplotlib'} & set(sys.modules)) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL, cwd=tmp_path)


@pytest.mark.slow
def test_as_a_process_its_table_can_be_read_by_awk(tiny: Path, pairs: Path, tmp_path: Path) -> None:
    command = [*COMPRET, "audit", "--model", tiny, "--pairs", pairs, "--threshold", "0.5"]
    code, said = outcome(command, cwd=tmp_path)
    assert code == 0, said
    assert "\x1b" not in said
    table = said.partition("\n\n")[2].partition("\n\n")[0].splitlines()
    assert table[0].split("  ")[0] == "pairs"
    assert [len([cell for cell in row.split("  ") if cell.strip()]) for row in table] == [5] * 5


def test_help_names_each_option(compret: Run) -> None:
    code, said = compret("audit", "--help")
    assert code == 0
    assert all(option in said for option in ("--model", "--pairs", "--threshold", "--calibrate", "--budget", "--out"))
