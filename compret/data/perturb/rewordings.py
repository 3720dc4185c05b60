"""Rewordings of plain sentences and captions by pattern, which keep the meaning and move or add many words.

`The cup is red and the plate is blue` says what `The plate is blue and the cup is red` says: next to such positives, a
structural negative is known by what it says and not by how many words it moved. Nobody has judged them one by one.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator

from compret.data.perturb.paraphrase import paraphrases

_DET = "a|an|the|two|three|four|five|one|some|several|many|few|all|his|her|their|its|no|each|every|another"
_PLURAL = ("two", "three", "four", "five", "some", "several", "many", "few", "all")
_SHORT = r"(?:a|an|the|some|two) (?:[a-z-]+ ){0,2}[a-z-]+"
_BE = r" (?:is|are|was|were|has|have|had) "
_FRAME = r" (on|in|with|under|at|near|of|to|\w+ing) "
_PLAIN_ADJECTIVE = (
    "red|blue|green|yellow|black|white|brown|gray|grey|orange|pink|purple|wooden|large|small|big|tiny|tall|short|old|"
    "young|empty|golden|round|square|dark|bright|striped"
)
_INVERSE = {
    "above": "below",
    "below": "above",
    "in front of": "behind",
    "behind": "in front of",
    "next to": "next to",
    "near": "near",
    "beside": "beside",
}
_PARTICIPLE = dict(
    pair.split(":")
    for pair in (
        "riding:ridden holding:held wearing:worn carrying:carried eating:eaten pulling:pulled pushing:pushed "
        "chasing:chased watching:watched driving:driven feeding:fed petting:petted hugging:hugged leading:led "
        "using:used following:followed throwing:thrown hitting:hit catching:caught kicking:kicked cutting:cut"
    ).split()
)


def rewordings(text: str) -> dict[str, list[str]]:
    """Rule -> what it makes of a sentence; rules that make nothing are left out."""
    made = {rule.__name__: list(rule(text)) for rule in RULES} | {"words": paraphrases(text)}
    kept = {name: [new for new in found if new.lower() != text.lower()] for name, found in made.items()}
    return {name: found for name, found in kept.items() if found}


def reword(text: str, rng: random.Random) -> str | None:
    """One rewording, its rule drawn first, half of them reworded once more; None where no rule applies."""
    found = rewordings(text)
    if not found:
        return None
    name = rng.choice(sorted(found))
    once = rng.choice(found[name])
    again = {rule: new for rule, new in rewordings(once).items() if rule != name}
    if not again or rng.random() < 0.5:
        return once
    twice = rng.choice(again[rng.choice(sorted(again))])
    return once if twice.lower() == text.lower() else twice


def clauses(text: str) -> Iterator[str]:
    """The X is A and the Y is B. -> The Y is B and the X is A."""
    found = re.fullmatch(rf"((?i:{_DET}) [^,;.]+?),? (and|while) ((?:{_DET}) [^,;.]+?)( ?\.?)", text)
    if not found:
        return
    first, joint, second, end = found.groups()
    if bool(re.search(_BE, first)) != bool(re.search(_BE, second)):
        return
    if not re.search(_BE, first):
        frames = [re.findall(_FRAME, part)[:1] for part in (first, second)]
        if not frames[0] or frames[0] != frames[1]:
            return
    yield f"{_capital(second)} {joint} {_small(first)}{end}"


def coordination(text: str) -> Iterator[str]:
    """wearing a yellow jersey and black shorts -> wearing black shorts and a yellow jersey"""
    before = r"\b((?:wearing|holding|has|have|with|of|between|contains|eating|carrying|by) )"
    part = r"((?:a |an |the |some )?(?:[a-z-]+ ){0,2}[a-z-]+)"
    for found in re.finditer(before + part + " and " + part + r"(?= ?(?:\.|,|$| in | on | at ))", text):
        verb, first, second = found.groups()
        if not re.search(r"\b(is|are|was|has|have|on|in|at|with|of|to|\w+ing)\b", f"{first} {second}"):
            yield f"{text[: found.start()]}{verb}{second} and {first}{text[found.end() :]}"


def unfront(text: str) -> Iterator[str]:
    """In the museum, there are few visitors. -> There are few visitors in the museum."""
    places = "In|On|At|During|After|Before|Under|Near|Behind|From|By|Since|Until"
    found = re.fullmatch(
        rf"((?:{places}) [^,;]{{3,60}}), ((?:there|{_DET}|he|she|it|they|we|I|[A-Z][a-z]+) [^,;]+?)( ?\.)", text
    )
    if found:
        yield f"{_capital(found[2])} {_small(found[1])}{found[3]}"


def front(text: str) -> Iterator[str]:
    """There are few visitors in the museum. -> In the museum, there are few visitors."""
    place = rf"((?:in|on|at|during|after|before|near) (?:{_DET}|[12]\d\d\d)(?: [a-z0-9-]+){{0,4}})( ?\.?)"
    found = re.fullmatch(rf"((?:There (?:is|are) )?[^,;.]+?) {place}", text)
    clause = found and re.search(r" (is|are|was|were|has|had|have|\w+ed|\w+s) ", found[1])
    if found and clause and not re.search(r" (and|than) ", f"{found[1]} {found[2]} "):
        yield f"{_capital(found[2])}, {_small(found[1])}{found[3]}"


def existential(text: str) -> Iterator[str]:
    """A truck on a street. -> There is a truck on a street. A truck is on a street. A photo of a truck on a street."""
    heads = "A|An|Two|Three|Some|Several|Four"
    rest = r"((?:on|in|under|near|next to|behind|above|below|beside|with|\w+ing) [^,;.]+)( ?\.?)"
    found = re.fullmatch(rf"((?:{heads}) (?:[a-z-]+ ){{1,3}}?)((?:is |are )?){rest}", text)
    if not found or re.search(r" (is|are|has|have) ", found[3]) or found[1].endswith("that "):
        return
    be = "are " if found[1].split()[0].lower() in _PLURAL else "is "
    yield f"There {be}{found[1].lower()}{found[3]}{found[4]}"
    if not found[2]:
        yield f"{found[1]}{be}{found[3]}{found[4]}"
        yield f"A photo of {found[1].lower()}{found[3]}{found[4]}"


def inverse(text: str) -> Iterator[str]:
    """A lamp is above a table. -> A table is below a lamp."""
    found = re.fullmatch(
        rf"((?:A|An|The|Two|Three) (?:[a-z-]+ ){{1,3}}?)((?:is |are )?)({'|'.join(_INVERSE)}) "
        r"((?:a|an|the|two|three) (?:[a-z-]+ ?){1,3}?)( ?\.?)",
        text,
    )
    if found:
        be = "are " if found[4].split()[0] in _PLURAL else "is "
        yield f"{_capital(found[4])} {be * bool(found[2])}{_INVERSE[found[3]]} {found[1].lower().strip()}{found[5]}"


def relative(text: str) -> Iterator[str]:
    """the black shirt -> the shirt that is black"""
    after = r"(?= (?:is|are|in|on|with|at|near|sitting|standing|holding|wearing|and|that|next|under|behind)\b| ?\.|,|$)"
    for found in re.finditer(rf"\b([Aa]n?|[Tt]he) ({_PLAIN_ADJECTIVE}) ([a-z]+){after}", text):
        if re.fullmatch(rf"{_PLAIN_ADJECTIVE}|and|or|to|of", found[3]):
            continue
        article = found[1] if found[1].lower() == "the" else found[1][0] + "n" * (found[3][0] in "aeiou")
        yield f"{text[: found.start()]}{article} {found[3]} that is {found[2]}{text[found.end() :]}"


def passive(text: str) -> Iterator[str]:
    """A man holding a banana on a boat. -> A banana is being held by a man on a boat."""
    found = re.fullmatch(
        rf"((?:A|An|The|Two|Some) (?:[a-z-]+ ){{1,3}}?)((?:is |are )?)({'|'.join(_PARTICIPLE)}) ({_SHORT})"
        r"((?: (?:in|on|at|near|down|through|along) [^,;.]+)?)( ?\.?)",
        text,
    )
    if found and not re.search(r" (and|is|are|that) ", f" {found[1]}{found[4]} "):
        be = "are" if found[4].split()[0] in _PLURAL else "is"
        doer = found[1].lower().strip()
        yield f"{_capital(found[4])} {be} being {_PARTICIPLE[found[3]]} by {doer}{found[5]}{found[6]}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _small(text: str) -> str:
    """Without the capital of a sentence's first word, if that word is no name."""
    first = text.split(" ", 1)[0]
    common = rf"{_DET}|there|he|she|it|they|we|you|in|on|at|during|after|before|under|near|behind|from|by|since|until"
    return first.lower() + text[len(first) :] if re.fullmatch(common, first.lower()) else text


RULES: tuple[Callable[[str], Iterator[str]], ...] = (
    clauses,
    coordination,
    unfront,
    front,
    existential,
    inverse,
    relative,
    passive,
)
