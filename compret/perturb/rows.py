"""From texts to edits to rows: parse, apply the rules, draw one edit a category, keep count of what was skipped."""

from __future__ import annotations

import importlib
import itertools
import pkgutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from compret.perturb import rules
from compret.perturb.pipeline import load_pipeline
from compret.perturb.types import Doc, Edit, Perturbation, Random, Skip, Span
from compret.types import UserError

LONGEST = 100_000
"""Characters of a text; longer ones are skipped."""
_WORDS = (3, 60)
_BATCH, _ZONE = 64, 1000


@cache
def all_rules() -> dict[str, Perturbation]:
    """Category -> rule, near-misses first: the classes with a category in the files of `compret.perturb.rules`."""
    modules = [importlib.import_module(f"{rules.__name__}.{m.name}") for m in pkgutil.iter_modules(rules.__path__)]
    found = [kind() for m in modules for kind in vars(m).values() if isinstance(kind, type) and hasattr(kind, "category")]
    return {rule.category: rule for rule in sorted(found, key=lambda rule: (rule.label, rule.category))}


def chosen(categories: Iterable[str]) -> list[Perturbation]:
    """The rules of some categories.

    Raises:
        UserError: there is no such category.
    """
    unknown = [name for name in categories if name not in all_rules()]
    if unknown:
        raise UserError(f"{', '.join(unknown)}: no such category; there are {', '.join(all_rules())}")
    return [all_rules()[name] for name in categories]


class Perturber:
    """Makes at most one edit a rule of each text; `made` and `skipped` count by category, and by reason, as it goes."""

    def __init__(self, rules: Sequence[Perturbation], seed: int = 42) -> None:
        self.rules, self.seed = rules, seed
        self.made: Counter[str] = Counter()
        self.skipped: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def edits(self, texts: Iterable[str]) -> Iterator[tuple[str, list[Edit]]]:
        """Each text with its edits, in order; a draw hangs on the seed, the category and the text alone."""
        pipeline = load_pipeline()
        texts = iter(texts)
        while zone := list(itertools.islice(texts, _ZONE)):
            with pipeline.memory_zone():  # else the vocabulary grows with every new word
                parsed = pipeline.pipe((text if len(text) <= LONGEST else "" for text in zone), batch_size=_BATCH)
                made = [self._of_doc(doc, text) for doc, text in zip(parsed, zone, strict=True)]
            yield from zip(zone, made, strict=True)

    def _of_doc(self, doc: Doc, text: str) -> list[Edit]:
        sents = [sent for sent in doc.sents if _is_plain(sent)]
        return [edit for rule in self.rules if (edit := self._drawn(rule, sents, text)) is not None]

    def _drawn(self, rule: Perturbation, sents: Sequence[Span], text: str) -> Edit | None:
        rng = Random(f"{self.seed}\n{rule.category}\n{text}")
        found, reasons = [], ["no plain sentence"]
        for sent in sents:
            for made in rule.apply(sent, rng):
                if isinstance(made, Skip):
                    reasons.append(made.reason)
                elif (fault := _fault(sent.text, made)) is not None:
                    reasons.append(fault)
                else:
                    found.append(text[: sent.start_char] + made + text[sent.end_char :])
        if not found:
            self.skipped[rule.category][reasons[-1]] += 1
            return None
        self.made[rule.category] += 1
        return Edit(rng.choice(found), rule.category, rule.label)


def _is_plain(sent: Span) -> bool:
    """A sentence of words with a verb, of a moderate length, without the marks of code, markup or a list."""
    words = sum(token.is_alpha for token in sent)
    strange = any(t.is_space or t.like_url or t.lower_ in ("-lsb-", "-rsb-", "-lrb-", "-rrb-") or (not t.text[:1].isalnum() and any(c in "`{}<>|\\=_#*[]~^" for c in t.text)) for t in sent)
    quotes = sum(t.text in ('"', "``", "''", "“", "”") for t in sent)
    verb = sent.root.pos_ in ("VERB", "AUX")
    return verb and not strange and _WORDS[0] <= words <= _WORDS[1] and words * 2 >= len(sent) and quotes % 2 == 0


def _fault(old: str, new: str) -> str | None:
    """What is wrong with a new sentence on its face."""
    words = new.lower().split()
    if new.lower() == old.lower():
        return "the edit changes nothing"
    doubled = [a for a, b in itertools.pairwise(words) if a == b and a not in ("that", "had")]
    before = old.lower().split()
    if len(doubled) > sum(a == b for a, b in itertools.pairwise(before)):
        return "a word would stand twice"
    return None
