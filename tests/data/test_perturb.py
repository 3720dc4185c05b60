"""The rules that edit sentences: what they make of known sentences, and what holds for any text."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compret.data.perturb import Perturbation, paraphrase, paraphrases, perturb, perturb_each, perturbations
from compret.data.perturb.pairs import matched_pair, near_misses, structural_negatives, thinned
from compret.data.perturb.prose import is_prose, sentences
from compret.data.perturb.rules import RULES
from compret.data.perturb.sentence import CODE, normalised, parse
from compret.metrics.nearmiss import auroc, jaccard

NEGATION = [
    ("The file is open.", "The file is not open."),
    ("It can be used without a lock.", "It cannot be used without a lock."),
    ("A class that holds the state.", "A class that does not hold the state."),
    ("There is a default.", "There is no default."),
    ("Return the list of names.", "Do not return the list of names."),
    ("Returns whether `self.x` is set.", "Returns whether `self.x` is not set."),
    ("The function does not raise an error.", "The function raises an error."),
    ("The path doesn't exist.", "The path exists."),
    ("The task isn't finished.", "The task is finished."),
    ("The man doesn't have any money.", "The man has some money."),
    ("Load the file if it exists.", "Load the file unless it exists."),
    ("It can be used without a lock.", "It can be used with a lock."),
    ("It never fails.", "It always fails."),
    ("Return all values.", "Return no values."),
    ("All of the tests pass.", "None of the tests pass."),
    ("Nobody knows the answer.", "Somebody knows the answer."),
    ("Returns True if the key is known.", "Returns False if the key is known."),
    ("The value is always positive.", "The value is always non-positive."),
]
ROLE_SWAP = [
    ("The dog chased the man.", "The man chased the dog."),
    ("The dog bites the man.", "The man bites the dog."),
    ("The cat caught the bird.", "The bird caught the cat."),
    ("the dog is chasing the man", "the man is chasing the dog"),
    ("The dict contains the key.", "The key contains the dict."),
    ("The mean is greater than the median.", "The median is greater than the mean."),
    ("The walrus is a subclass of the seal.", "The seal is a subclass of the walrus."),
    ("The parser is called by the lexer.", "The lexer is called by the parser."),
    ("Replace the key with the value.", "Replace the value with the key."),
    ("Convert the string to a number.", "Convert a number to the string."),
    ("Copy data from the buffer to the file.", "Copy data from the file to the buffer."),
    ("Move the file from `a` to `b`.", "Move the file from `b` to `a`."),
    ("Subtract the mean from the sum.", "Subtract the sum from the mean."),
    ("A dog is running behind a cat.", "A cat is running behind a dog."),
]
SPATIAL = [
    ("The image is above the caption.", "The image is below the caption."),
    ("The node is to the left of the root.", "The node is to the right of the root."),
    ("The cat sits under the table.", "The cat sits on the table."),
    ("The cat is in front of the door.", "The cat is behind the door."),
    ("The window is inside the frame.", "The window is outside the frame."),
    ("Return the top of the stack.", "Return the bottom of the stack."),
    ("Rotate the image clockwise.", "Rotate the image counterclockwise."),
    ("Put the upper bound first.", "Put the lower bound first."),
]
ORDER = [
    ("Run the hook before the commit.", "Run the hook after the commit."),
    ("The file was written after the lock was taken.", "The file was written before the lock was taken."),
    ("Return the first element.", "Return the last element."),
    ("Sort the rows in ascending order.", "Sort the rows in descending order."),
    ("At least two items are needed.", "At most two items are needed."),
    ("Return the maximum value.", "Return the minimum value."),
    ("The text starts with a digit.", "The text ends with a digit."),
    ("Strip leading whitespace.", "Strip trailing whitespace."),
    ("The previous line is empty.", "The next line is empty."),
    ("The mean is greater than the median.", "The mean is less than the median."),
]
TABLE = [
    *(("negation", *row) for row in NEGATION),
    *(("role-swap", *row) for row in ROLE_SWAP),
    *(("spatial", *row) for row in SPATIAL),
    *(("order", *row) for row in ORDER),
]
SAME = [
    ("Delete the directory.", "Erase the directory."),
    ("Check if the file is open.", "Check whether the file is open."),
    ("The list is able to grow.", "The list can grow."),
    ("The value is not valid.", "The value is invalid."),
    ("Return the list of names.", "Returns the list of names."),
    ("Return the list of names.", "Get the list of names."),
    ("It can't be seen.", "It cannot be seen."),
    ("The function does not raise an error.", "The function doesn't raise an error."),
    ("Load it if the file exists.", "If the file exists, load it."),
    ("If the file exists, load it.", "Load it if the file exists."),
    ("When the file is missing, an error is raised.", "An error is raised when the file is missing."),
    ("The parser is called by the lexer.", "The lexer calls the parser."),
    ("The caller determines the index.", "The index is determined by the caller."),
    ("The mean is greater than the median.", "The median is less than the mean."),
    ("The node is a parent of the leaf.", "The leaf is a child of the node."),
    ("The image is above the caption.", "The caption is below the image."),
    ("The head precedes the tail.", "The tail follows the head."),
    ("Copy data from the buffer to the file.", "Copy data to the file from the buffer."),
    ("Look up values in dictionaries and lists.", "Look up values in lists and dictionaries."),
    ("Return the name of the file.", "Return the file's name."),
    ("A class that holds the state.", "A class which holds the state."),
    ("Return True if the list is empty, False otherwise.", "Return whether the list is empty."),
]
CODES = ["`self.x`", "foo_bar()", "``None``", ":func:`run`", "--flag", "os.path", "~/etc/conf", "myName", "utf8"]
NOUNS = "file list parser buffer lock node table string server client image error index".split()
TEMPLATES = [
    "Return the first {a} of the {b}.",
    "The {a} is greater than the {b}.",
    "The {a} contains the {b}, if the {c} is valid.",
    "Copy the {a} from the {b} to the {c}.",
    "If the {a} is not empty, the {b} is read before the {c} is closed.",
    "Convert the {a} to a {b} with {x}.",
    "The {a} is called by the {b} and never raises {x}.",
    "Check whether the {a} is above the {b}.",
    "The {a} does not have a {b}, unless {x} is given.",
    "All {a}s and {b}s are removed from the {c} in ascending order.",
    "Return True if {x} is inside the {a}, False otherwise.",
    "A {a} that holds the minimum {b}.",
]


def filled(draw: random.Random) -> str:
    a, b, c = draw.sample(NOUNS, 3)
    return draw.choice(TEMPLATES).format(a=a, b=b, c=c, x=draw.choice(CODES))


made = st.builds(
    lambda text, abc, x: text.format(a=abc[0], b=abc[1], c=abc[2], x=x),
    st.sampled_from(TEMPLATES),
    st.permutations(NOUNS),
    st.sampled_from(CODES),
)
words = "the a not no is are has have do if when that before after than from to of and first left all can't".split()
mixed = st.lists(st.sampled_from([*words, *NOUNS, *CODES, *".,:;()?!'\"`-", "A", "The", "\n", "é"]), max_size=25).map(
    " ".join
)
anything = st.one_of(st.text(max_size=120), mixed, made)


def codes(text: str) -> list[str]:
    s = parse(text)
    return sorted(token for token, low in zip(s.tokens, s.low, strict=True) if low == CODE)


@pytest.mark.parametrize(("category", "text", "expected"), TABLE)
def test_known_perturbations(category: str, text: str, expected: str) -> None:
    assert Perturbation(expected, category) in perturbations(text)


@pytest.mark.parametrize("text", ["the dog bit the man", "A boy rode the horse."])
def test_irregular_pasts_swap_too(text: str) -> None:
    assert "role-swap" in {made.category for made in perturbations(text)}


def test_a_label_is_no_article() -> None:
    assert Perturbation("Set A is not a subset of set B.", "negation") in perturbations("Set A is a subset of set B.")


@pytest.mark.parametrize(("text", "expected"), SAME)
def test_known_paraphrases(text: str, expected: str) -> None:
    assert expected in paraphrases(text)


@pytest.mark.parametrize("text", ["Return the name of the file.", "Load a module from its path.", "Get x."])
def test_no_paraphrase_opens_as_no_anchor_does(text: str) -> None:
    """`Used to return ...` opened so many of the embedded paraphrases that two words told the labels apart."""
    assert not [new for new in paraphrases(text) if new.startswith("Used to")]


@pytest.mark.parametrize(("text", "expected"), SAME)
def test_paraphrases_are_no_perturbations(text: str, expected: str) -> None:
    assert normalised(expected) not in {normalised(made.text) for made in perturbations(text)}


@pytest.mark.parametrize("text", ["", " ", "Hello.", "...", "foo_bar()", "Thanks to Guido.", "¿Qué?"])
def test_nothing_to_turn(text: str) -> None:
    assert perturbations(text) == []
    assert perturb(text, random.Random(0)) is None
    assert perturb_each(text, random.Random(0)) == []
    assert paraphrases(text) == []
    assert paraphrase(text, random.Random(0)) is None


def test_a_question_of_whether_is_not_negated() -> None:
    assert not any("not open" in made.text for made in perturbations("Check if the file is open."))


@pytest.mark.parametrize("text", ["Note that the value may be larger.", "It is faster, or at least is not slower."])
def test_asides_are_left_alone(text: str) -> None:
    assert not any("note" in new.lower() and not new.startswith("Note") for new in paraphrases(text))
    assert not any("Do not note" in made.text or "at most" in made.text for made in perturbations(text))


def test_articles_capitals_and_white_space() -> None:
    assert Perturbation("It has an invalid key.", "negation") in perturbations("It  has a\nvalid key.")
    assert Perturbation("The lexer is called by the parser.", "role-swap") in perturbations(
        "The parser is called by the lexer."
    )
    assert Perturbation("Unless the file exists, load it.", "negation") in perturbations("If the file exists, load it.")


@settings(max_examples=250, deadline=None)
@given(anything, st.integers(0, 9))
def test_no_text_raises_and_every_edit_is_one(text: str, seed: int) -> None:
    rng = random.Random(seed)
    anchor, every = normalised(" ".join(text.split())), perturbations(text)
    keys = [normalised(made.text) for made in every]
    assert anchor not in keys
    assert len(set(keys)) == len(keys)
    assert {made.category for made in every} <= set(RULES)
    assert anchor not in map(normalised, paraphrases(text))
    drawn = perturb(text, rng)
    assert (drawn is None) == (not every)
    assert drawn is None or normalised(drawn.text) in keys
    assert (paraphrase(text, rng) is None) == (not paraphrases(text))
    near_misses([text], seed)
    structural_negatives([text], seed)
    is_prose(text)
    sentences(text)


@settings(max_examples=120, deadline=None)
@given(made)
def test_a_perturbation_of_a_sentence_is_none_of_its_paraphrases(text: str) -> None:
    same = set(map(normalised, paraphrases(text)))
    assert same.isdisjoint(normalised(found.text) for found in perturbations(text))


@settings(max_examples=50, deadline=None)
@given(made, st.integers(0, 99))
def test_the_same_seed_draws_the_same(text: str, seed: int) -> None:
    assert perturb(text, random.Random(seed)) == perturb(text, random.Random(seed))
    assert paraphrase(text, random.Random(seed)) == paraphrase(text, random.Random(seed))
    assert perturb_each(text, random.Random(seed)) == perturb_each(text, random.Random(seed))
    assert matched_pair(text, random.Random(seed)) == matched_pair(text, random.Random(seed))


@settings(max_examples=120, deadline=None)
@given(made)
def test_code_survives(text: str) -> None:
    for found in perturbations(text):
        assert codes(found.text) == codes(text)
    for new in paraphrases(text):
        assert codes(new) == codes(text)


@settings(max_examples=50, deadline=None)
@given(made)
def test_edited_sentences_stay_sentences(text: str) -> None:
    for new in [*(found.text for found in perturbations(text)), *paraphrases(text)]:
        assert new[0].isupper() or not text[0].isupper()
        assert new.endswith(".")
        assert not re.search(r"\s{2}|\s[.,]", new)


@settings(max_examples=50, deadline=None)
@given(made, st.sets(st.sampled_from(sorted(RULES))), st.integers(0, 9))
def test_one_of_each_category_that_is_not_skipped(text: str, skipped: set[str], seed: int) -> None:
    found = [made.category for made in perturb_each(text, random.Random(seed), skipped)]
    assert found == [c for c in RULES if c in {made.category for made in perturbations(text)} - skipped]


def test_every_category_is_drawn() -> None:
    text = "Convert the first string inside the buffer to a list. The node is below the root."
    drawn = [perturb(text, random.Random(seed)) for seed in range(60)]
    categories = {found.category for found in drawn if found is not None}
    assert categories == {"negation", "role-swap", "spatial", "order"}


@pytest.fixture(scope="module")
def texts() -> list[str]:
    draw = random.Random(0)
    return list(dict.fromkeys([filled(draw) for _ in range(170)] + [text for _, text, _ in TABLE]))[:200]


def test_near_misses_are_pairs_matched_in_word_overlap(texts: list[str]) -> None:
    rows = near_misses(texts, 42)
    assert len(rows) > 150
    for same, other in zip(rows[::2], rows[1::2], strict=True):
        assert (same["label"], other["label"]) == (1, 0)
        assert same["anchor"] == other["anchor"]
        assert same["anchor"] in texts
        assert same["category"] == other["category"]
        assert len({normalised(str(x)) for x in (same["anchor"], same["candidate"], other["candidate"])}) == 3
    anchors = [row["anchor"] for row in rows[::2]]
    assert len(set(anchors)) == len(anchors)
    overlaps = [jaccard(str(row["anchor"]), str(row["candidate"])) for row in rows]
    assert auroc(overlaps, [row["label"] for row in rows]) == pytest.approx(0.5, abs=0.05)


def test_rows_hang_on_the_seed_and_each_text_alone(texts: list[str]) -> None:
    for make in (near_misses, structural_negatives):
        assert make(texts, 1) == [*make(texts[:70], 1), *make(texts[70:], 1)]
        assert make(texts, 1) != make(texts, 2)


def test_structural_negatives_are_identity_rows(texts: list[str]) -> None:
    rows = structural_negatives(texts, 42)
    assert {row["category"] for row in rows} == set(RULES)
    for row in rows:
        assert row["anchor"] == row["positive"]
        assert normalised(str(row["anchor"])) != normalised(str(row["negative"]))
    kinds = [(row["anchor"], row["category"]) for row in rows]
    assert len(set(kinds)) == len(kinds)
    negated = sum(row["category"] == "negation" for row in rows) / len(texts)
    assert 0.3 < negated < 0.5


@pytest.mark.parametrize("most", [0.5, 1.0, 2.0])
def test_thinned_bounds_the_share_of_negation(texts: list[str], most: float) -> None:
    rows = structural_negatives(texts, 42)
    kept = thinned(rows, most, 0)
    others = [row for row in rows if row["category"] != "negation"]
    assert [row for row in kept if row["category"] != "negation"] == others
    assert len(kept) - len(others) == min(len(rows) - len(others), round(most * len(others)))
    assert kept == thinned(rows, most, 0)
    assert thinned([], most, 0) == []
