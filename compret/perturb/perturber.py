"""From texts to edits to rows: parse, apply the rules, draw one edit a category, keep count of what was skipped."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import itertools
import pkgutil
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from compret.files import first_line
from compret.perturb import rules
from compret.perturb.pipeline import PIPELINE_SHA256, load_pipeline
from compret.perturb.types import Doc, Edit, Perturbation, Random, Skip, Span
from compret.types import UserError

LONGEST = 100_000
"""Characters of a text; longer ones are skipped."""
_WORDS = (3, 80)
_BATCH, _ZONE = 64, 1000


@cache
def all_rules() -> dict[str, Perturbation]:
    """Category -> rule, near-misses first: the classes with a category in the files of `compret.perturb.rules`."""
    modules = [importlib.import_module(f"{rules.__name__}.{m.name}") for m in pkgutil.iter_modules(rules.__path__)]
    found = [
        kind() for m in modules for kind in vars(m).values() if isinstance(kind, type) and hasattr(kind, "category")
    ]
    return {rule.category: rule for rule in sorted(found, key=lambda rule: (rule.label, rule.category))}


def chosen(categories: Iterable[str]) -> list[Perturbation]:
    """The rules of some categories; a name with a dot is the import path of a class of the user's own.

    Raises:
        UserError: there is no such category, or no such class.
    """
    names = list(categories)
    unknown = [name for name in names if name not in all_rules() and "." not in name]
    if unknown:
        raise UserError(f"{', '.join(unknown)}: no such category; there are {', '.join(all_rules())}")
    return [all_rules()[name] if name in all_rules() else _own_rule(name) for name in names]


def _own_rule(path: str) -> Perturbation:
    module, _, name = path.rpartition(".")
    try:
        rule = getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError, TypeError) as error:
        raise UserError(f"{path}: no such class ({first_line(error)}); name it as file.Class") from error
    missing = [each for each in ("category", "label", "nothing", "apply") if not hasattr(rule, each)]
    if missing:
        raise UserError(f"{path}: it has no {missing[0]}; a rule has category, label, nothing and apply")
    return rule  # type: ignore[no-any-return]


@cache
def code() -> str:
    """SHA-256 of the rules, the tables and the versions that they stand on: what one of them made, another did not."""
    folder = Path(__file__).parent
    found = hashlib.sha256(PIPELINE_SHA256.encode())
    found.update(" ".join(importlib.metadata.version(name) for name in ("spacy", "lemminflect")).encode())
    for file in sorted([*folder.rglob("*.py"), *folder.glob("*.tsv")]):
        found.update(file.read_bytes())
    return found.hexdigest()


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
            reasons.append(rule.nothing)
            try:
                made = [new for new in rule.apply(sent, rng) if new is not None and _is_sound(sent.text, new)]
            except Skip as skip:
                made = []
                reasons[-1] = str(skip)
            found += [text[: sent.start_char] + new + text[sent.end_char :] for new in made]
        if not found:
            self.skipped[rule.category][reasons[-1]] += 1
            return None
        self.made[rule.category] += 1
        return Edit(rng.choice(found), rule.category, rule.label)


def _is_plain(sent: Span) -> bool:
    """A sentence of words with a verb, of a moderate length, without the marks of code, markup or a list."""
    words = sum(token.is_alpha for token in sent)
    strange = any(
        t.is_space
        or t.like_url
        or t.lower_ in ("-lsb-", "-rsb-", "-lrb-", "-rrb-")
        or (not t.text[:1].isalnum() and any(c in "`{}<>|\\=_#*[]~^" for c in t.text))
        for t in sent
    )
    quotes = sum(t.text in ('"', "``", "''", "“", "”") for t in sent)
    verb = sent.root.pos_ in ("VERB", "AUX")
    return verb and not strange and _WORDS[0] <= words <= _WORDS[1] and words * 2 >= len(sent) and quotes % 2 == 0


def _is_sound(old: str, new: str) -> bool:
    """Whether something is changed and no word stands twice that did not."""
    doubled = [sum(a == b for a, b in itertools.pairwise(text.lower().split())) for text in (old, new)]
    return new.lower() != old.lower() and doubled[1] <= doubled[0]
