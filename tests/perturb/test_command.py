"""`compret perturb`: rows on disk, the report, the sample, and what it says of mistakes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from compret.__main__ import main
from compret.perturb.perturber import all_rules
from tests.conftest import write_lines

TEXTS = ["The architect designed the museum in 1901.", "The lamp hangs above the table.", "", "Gold is not heavy."]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "texts.jsonl", [{"text": text, "number": 1} for text in TEXTS])


def rows(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["perturb", *map(str, arguments)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_mistakes_are_told_in_one_line(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.jsonl"
    assert "no such file" in refused(capsys, tmp_path / "none.jsonl", "--out", out)
    assert "ends in .jsonl" in refused(capsys, file, "--out", tmp_path / "out.csv")
    assert "nonsense: no such category" in refused(capsys, file, "--out", out, "--categories", "nonsense")
    assert "that is a paraphrase" in refused(capsys, file, "--out", out, "--categories", "passive")
    assert "that is a near-miss" in refused(capsys, file, "--out", out, "--paraphrases", "negation")
    assert "--triplets: name" in refused(capsys, file, "--out", out, "--triplets", "--categories", "")
    assert list(tmp_path.iterdir()) == [file]


def test_help_needs_no_parser(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["perturb", "--help"])
    said = capsys.readouterr().out
    assert all(category in said for category in all_rules())


class TestWithTheExtra:
    @pytest.fixture(autouse=True)
    def needs_the_extra(self) -> None:
        pytest.importorskip("spacy", reason="needs the extra `perturb`")
        pytest.importorskip("lemminflect", reason="needs the extra `perturb`")

    def test_labelled_pairs(self, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out = tmp_path / "new" / "pairs.jsonl"
        assert main(["perturb", str(file), "--out", str(out)]) == 0
        made, said = rows(out), capsys.readouterr().out
        assert {row["category"] for row in made} >= {"passive", "spatial", "negation", "quantity"}
        assert all(row["label"] == all_rules()[str(row["category"])].label for row in made)
        assert all(row["anchor"] in TEXTS and row["candidate"] != row["anchor"] for row in made)
        assert f"{out}: {len(made)} rows" in said
        for category in all_rules():
            (line,) = re.findall(rf"^\| {category} .*$", said, re.MULTILINE)
            assert line.split("|")[3].strip() == str(sum(row["category"] == category for row in made))
            assert int(line.split("|")[3]) + int(line.split("|")[4]) == len(TEXTS)

    def test_the_same_seed_makes_the_same_file_and_sample(
        self, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_lines(file, [{"text": f"He saw {n} dogs, {n + 7} cats and a bird in 19{n}."} for n in range(20, 60)])
        said = {}
        for name, seed in (("a", 1), ("b", 1), ("c", 2)):
            assert main(["perturb", str(file), "--out", str(tmp_path / f"{name}.jsonl"), "--seed", str(seed)]) == 0
            said[name] = capsys.readouterr().out.replace(f"{name}.jsonl", "")
        files = {name: (tmp_path / f"{name}.jsonl").read_bytes() for name in said}
        assert files["a"] == files["b"] != files["c"]
        assert said["a"] == said["b"] != said["c"]

    def test_triplets_categories_column_and_limit(self, file: Path, tmp_path: Path) -> None:
        write_lines(file, [{"body": text} for text in TEXTS])
        out = tmp_path / "triplets.jsonl"
        options = ["--triplets", "--column", "body", "--categories", "quantity", "--paraphrases", "passive"]
        assert main(["perturb", str(file), "--out", str(out), "--limit", "2", *options]) == 0
        (row,) = rows(out)
        assert list(row) == ["anchor", "positive", "negative", "category"]
        assert (row["anchor"], row["category"]) == (TEXTS[0], "quantity")
        assert row["positive"] == "The museum was designed by the architect in 1901."
        assert re.fullmatch(r"The architect designed the museum in 1[89]\d\d\.", str(row["negative"]))

    def test_a_bad_row_is_named_and_nothing_is_left(
        self, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "out.jsonl"
        assert "line 1: no column 'body' (it has text, number)" in refused(
            capsys, file, "--out", out, "--column", "body"
        )
        assert "line 1: column 'number' holds a number" in refused(capsys, file, "--out", out, "--column", "number")
        assert list(tmp_path.iterdir()) == [file]
