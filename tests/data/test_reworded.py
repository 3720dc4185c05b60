"""`reworded:` makes triplets whose positives are reworded by rule, so that wording is no sign of sameness."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from compret.data.perturb.rewordings import RULES, reword, rewordings
from compret.data.pydoc import rules
from compret.data.tables import load_triplets
from compret.types import UserError
from tests.conftest import write_lines

WANTED = {
    "clauses": ("The cup is red and the plate is blue.", "The plate is blue and the cup is red."),
    "coordination": ("The man is wearing a red hat and black shoes.", "The man is wearing black shoes and a red hat."),
    "unfront": ("In the museum, there are few visitors.", "There are few visitors in the museum."),
    "front": ("There are few visitors in the museum.", "In the museum, there are few visitors."),
    "existential": ("A truck on the side of a street.", "There is a truck on the side of a street."),
    "inverse": ("A lamp is above a table.", "A table is below a lamp."),
    "relative": ("The black shirt is on the bed.", "The shirt that is black is on the bed."),
    "passive": ("A man holding a banana on a boat.", "A banana is being held by a man on a boat."),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_each_rule_does_what_its_docstring_says(rule: object) -> None:
    text, expected = WANTED[rule.__name__]  # type: ignore[attr-defined]
    assert expected in rewordings(text)[rule.__name__]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("A cake with more frosting on the edges than on the center.", "On the center, a cake"),
        ("There are more chairs in the living room than tables.", "than tables, there"),
        ("An animal that is in the snow.", "that in the snow"),
        ("A man holds a cup and smiles at the dog.", "Smiles"),
        ("The dog bit the man.", "The man"),
    ],
)
def test_what_would_change_the_meaning_is_left_alone(text: str, wrong: str) -> None:
    assert not [new for found in rewordings(text).values() for new in found if wrong in new]


def test_a_rewording_is_seeded_and_never_the_text_itself() -> None:
    for text, _ in WANTED.values():
        drawn = [reword(text, random.Random(seed)) for seed in range(20)]
        assert drawn == [reword(text, random.Random(seed)) for seed in range(20)]
        assert text not in drawn
    assert reword("Dogs bark.", random.Random(0)) is None


def test_triplets_of_reworded_rows(tmp_path: Path) -> None:
    negatives = {"A lamp is above a table.": "A table is above a lamp.", "Dogs bark.": "Dogs never bark."}
    rows = [{"anchor": a, "positive": a, "negative": n, "category": "spatial"} for a, n in negatives.items()]
    file = write_lines(tmp_path / "rows.jsonl", rows)
    made = load_triplets(f"reworded:{file}")
    assert made.column_names == ["anchor", "positive", "negative", "category"]
    assert set(made["category"]) == {"spatial"}
    assert made["anchor"][0] == "A lamp is above a table."
    assert {row["anchor"] for row in made} >= {"A lamp is above a table.", "A table is above a lamp."}
    assert not {"Dogs bark."} & set(made["anchor"])
    for row in made:
        assert len({row[column].lower() for column in made.column_names[:3]}) == 3
    assert list(load_triplets(f"reworded:{file}")) == list(made)


def test_rows_that_cannot_be_reworded_are_told(tmp_path: Path) -> None:
    file = write_lines(tmp_path / "plain.jsonl", [{"anchor": "Dogs bark.", "positive": "Dogs do.", "negative": "No."}])
    with pytest.raises(UserError, match="no rule rewords"):
        load_triplets(f"reworded:{file}")
    file = write_lines(tmp_path / "bare.jsonl", [{"anchor": "Dogs bark.", "positive": "Dogs do."}])
    with pytest.raises(UserError, match="no column 'negative'"):
        load_triplets(f"reworded:{file}")


# bug: the table was kept for the rows alone, whatever became of the rules
def test_other_rules_make_other_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"anchor": "A lamp is above a table.", "positive": "x", "negative": "A table is above a lamp."}
    file = write_lines(tmp_path / "rows.jsonl", [row])
    before = list(load_triplets(f"reworded:{file}"))
    monkeypatch.setattr("compret.data.reworded.reword", lambda text, rng: f"put otherwise, {text}")
    monkeypatch.setattr("compret.data.pydoc.rules", lambda: "other rules")
    after = list(load_triplets(f"reworded:{file}"))
    assert after != before
    assert after[0]["positive"] == "put otherwise, A lamp is above a table."
    assert {row["category"] for row in after} == {"reworded"}


def test_the_hash_of_the_rules_is_that_of_their_code(monkeypatch: pytest.MonkeyPatch) -> None:
    before, real = rules(), Path.read_text

    def changed(path: Path, *arguments: object, **options: object) -> str:
        return real(path, *arguments, **options) + ("# new" if path.name == "rewordings.py" else "")  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "read_text", changed)
    assert rules() != before
