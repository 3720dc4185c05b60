"""`perturb:` and `reworded:` make triplets whose positives are edits too, so that wording is no sign of sameness."""

from __future__ import annotations

from pathlib import Path

import pytest

from compret.data.triplet_tables import load_triplets
from compret.types import UserError
from tests.conftest import write_lines


def test_without_the_extra_one_line_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from compret.perturb import pipeline

    monkeypatch.setattr(pipeline, "PACKAGE", "no_such_pipeline")
    monkeypatch.setattr("compret.data.perturbed.load_pipeline", pipeline.load_pipeline.__wrapped__)
    file = write_lines(tmp_path / "rows.jsonl", [{"anchor": "a", "positive": "a", "negative": "b"}])
    for source in (f"perturb:{file}", f"reworded:{file}"):
        with pytest.raises(UserError, match=r"install the extra: pip install 'compret\[perturb\]'"):
            load_triplets(source)


def test_rows_without_negatives_are_told(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "bare.jsonl", [{"anchor": "Dogs bark.", "positive": "Dogs do."}])
    with pytest.raises(UserError, match="no column 'negative'"):
        load_triplets(f"reworded:{file}")


class TestWithTheExtra:
    @pytest.fixture(autouse=True)
    def needs_the_extra(self) -> None:
        pytest.importorskip("spacy", reason="needs the extra `perturb`")
        pytest.importorskip("lemminflect", reason="needs the extra `perturb`")

    @pytest.mark.parametrize("column", ["text", "anchor", "query"])
    def test_triplets_of_texts(self, tmp_path: Path, column: str) -> None:
        texts = ["The architect designed the museum in 1901.", "Dogs bark."]
        file = write_lines(tmp_path / f"{column}.jsonl", [{column: text} for text in texts])
        made = load_triplets(f"perturb:{file}")
        assert made.column_names == ["anchor", "positive", "negative", "category"]
        assert set(made["anchor"]) == {texts[0]}
        assert set(made["category"]) >= {"negation", "quantity"}
        assert set(made["positive"]) <= {
            "The museum was designed by the architect in 1901.",
            "In 1901, the architect designed the museum.",
        }
        assert "The architect did not design the museum in 1901." in made["negative"]
        assert list(load_triplets(f"perturb:{file}")) == list(made)

    def test_texts_of_which_nothing_is_made_are_told(self, tmp_path: Path) -> None:
        file = write_lines(tmp_path / "texts.jsonl", [{"text": "Dogs bark."}])
        with pytest.raises(UserError, match="no rule makes both"):
            load_triplets(f"perturb:{file}")

    def test_triplets_of_reworded_rows(self, tmp_path: Path) -> None:
        negatives = {"The lamp is above the table.": "The table is above the lamp.", "Dogs bark.": "Dogs never bark."}
        rows = [{"anchor": a, "positive": a, "negative": n, "category": "spatial"} for a, n in negatives.items()]
        file = write_lines(tmp_path / "rows.jsonl", rows)
        made = load_triplets(f"reworded:{file}")
        assert made.column_names == ["anchor", "positive", "negative", "category"]
        assert set(made["category"]) == {"spatial"}
        assert {row["anchor"] for row in made} >= {"The lamp is above the table.", "The table is above the lamp."}
        assert ("The lamp is above the table.", "The table is below the lamp.") in zip(
            made["anchor"], made["positive"], strict=True
        )
        assert not {"Dogs bark."} & set(made["anchor"])
        for row in made:
            assert len({row[column].lower() for column in made.column_names[:3]}) == 3
        assert list(load_triplets(f"reworded:{file}")) == list(made)

    def test_rows_that_cannot_be_reworded_are_told(self, tmp_path: Path) -> None:
        row = {"anchor": "Dogs bark.", "positive": "Dogs do.", "negative": "No."}
        file = write_lines(tmp_path / "plain.jsonl", [row])
        with pytest.raises(UserError, match="no rule rewords"):
            load_triplets(f"reworded:{file}")

    # bug: the table was kept for the rows alone, whatever became of the rules
    def test_other_rules_make_other_rows(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        row = {"anchor": "The lamp is above the table.", "positive": "x", "negative": "The table is above the lamp."}
        file = write_lines(tmp_path / "rows.jsonl", [row])
        before = list(load_triplets(f"reworded:{file}"))
        monkeypatch.setattr(
            "compret.data.perturbed._rewordings", lambda texts: (f"put otherwise, {text}" for text in texts)
        )
        monkeypatch.setattr("compret.data.perturbed.code", lambda: "other rules")
        after = list(load_triplets(f"reworded:{file}"))
        assert after != before
        assert after[0]["positive"] == "put otherwise, The lamp is above the table."
        assert {row["category"] for row in after} == {"reworded"}


def test_the_hash_of_the_rules_is_that_of_their_code(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("spacy", reason="needs the extra `perturb`")
    from compret.perturb.perturber import code

    before, real = code(), Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: real(path) + (b"# new" if path.name == "tables.tsv" else b""))
    assert code.__wrapped__() != before
