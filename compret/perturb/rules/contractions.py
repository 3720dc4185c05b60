"""Contractions: `is not` and `isn't`, `it is` and `it's`."""

from __future__ import annotations


from itertools import pairwise

from compret.perturb.edit import arranged, replaced, tokenised
from compret.perturb.grammar import asks
from compret.perturb.types import Edits, Random, Skip, Span, Token

_SHORT = frozenset("is are was were do does did has have had would could should".split())
_PRONOUN = {("it", "is"): "'s", ("he", "is"): "'s", ("she", "is"): "'s", ("that", "is"): "'s", ("they", "are"): "'re"}
_PRONOUN |= {("we", "are"): "'re", ("you", "are"): "'re", ("i", "am"): "'m", ("there", "is"): "'s"}
_SPECIAL = {"can": "ca", "will": "wo"}
_LONG = {short: word for word, short in _SPECIAL.items()}


class Contractions:
    category, label = "contractions", 1

    def apply(self, sent: Span, rng: Random) -> Edits:
        yield from [*_shortened(sent), *([] if asks(sent) else _spelt_out(sent))] or [Skip("nothing to contract or to spell out")]


def _shortened(sent: Span) -> list[str]:
    gap = " " if tokenised(sent) else ""
    made = []
    for word, negation in pairwise(sent):
        low = word.lower_
        if negation.lower_ == "not" and _goes_on(sent, negation) and negation.dep_ == "neg" and (low in _SHORT or low in _SPECIAL):
            text = f"{_SPECIAL.get(low, word.text)}{gap}n't"
            made.append(arranged(sent, [(sent.start, word.i), text, (negation.i + 1, sent.end)]))
        elif (low, negation.lower_) in _PRONOUN and word.dep_ in ("nsubj", "nsubjpass", "expl") and _goes_on(sent, negation):
            text = _PRONOUN[low, negation.lower_]
            made.append(replaced(sent, {negation.i: text}))
    return made


def _goes_on(sent: Span, negation: Token) -> bool:
    behind = sent.doc[negation.i + 1] if negation.i + 1 < sent.end else None
    return behind is not None and not behind.is_punct and behind.lower_ not in ("only", "just", "merely", "to")


def _spelt_out(sent: Span) -> list[str]:
    made = []
    for word, negation in pairwise(sent):
        subject_between = word.i + 2 < sent.end and sent.doc[word.i + 2].dep_ in ("nsubj", "nsubjpass", "expl")
        if negation.lower_ in ("n't", "n’t") and not subject_between and word.i > sent.start:
            text = _LONG.get(word.lower_, word.text)
            both = ["cannot"] if text == "can" else [text, "not"]
            made.append(arranged(sent, [(sent.start, word.i), *both, (negation.i + 1, sent.end)]))
    return made
