"""Clause order: a subordinate clause or a year moved to the front, or back."""

from __future__ import annotations


from compret.perturb.edit import arranged
from compret.perturb.grammar import THIRD, asks, clause, final, has_quotes, lemma
from compret.perturb.tables import listed, table
from compret.perturb.types import Edits, Random, Skip, Span, Token


class ClauseOrder:
    category, label = "clause-order", 1

    def apply(self, sent: Span, rng: Random) -> Edits:
        root = sent.root
        if asks(sent) or has_quotes(sent) or clause(root).negation or any(t.dep_ in ("conj", "ccomp", "parataxis") for t in root.children):
            yield Skip("a question, a negation or more than one main clause")
            return
        dated = lemma(root) != "be" or any(t.dep_ in ("attr", "acomp") for t in root.children)
        heads = [t for t in root.children if _is_clause(t) or (dated and _is_year(t))]
        yield from [_moved(sent, head) for head in heads] or [Skip("no clause or year that can be moved")]


def _is_clause(token: Token) -> bool:
    first = token.left_edge
    return token.dep_ == "advcl" and first.lower_ in listed("subordinator") and clause(token).subject is not None


def _is_year(token: Token) -> bool:
    """`in 1834`, `on july 9 , 1755`."""
    words = list(token.subtree)[1:]
    dated = all(t.tag_ == "CD" or t.text == "," or t.lower_ in table("temporal") for t in words)
    return token.dep_ == "prep" and token.lower_ in ("in", "on", "since", "by") and dated and words[-1:] != [] and words[-1].text[-1].isdigit()


def _moved(sent: Span, head: Token) -> str | Skip:
    start, end, last = head.left_edge.i, head.right_edge.i + 1, final(sent)
    if _names_again(sent, head):
        return Skip("a pronoun might change what it stands for")
    doc = sent.doc
    if head.dep_ == "prep" and start == sent.start and any(t.dep_ == "prep" for t in doc[end:last]):
        return Skip("the date might belong to another word at the end")
    if start == sent.start and end < last and doc[end].text == "," and not _marks(sent, end + 1, last):
        return arranged(sent, [(end + 1, last), (start, end), (last, sent.end)])
    if end == last and start > sent.start and doc[start - 1].is_alpha and not _marks(sent, sent.start, start):
        return arranged(sent, [(start, end), ",", (sent.start, start), (last, sent.end)])
    return Skip("the clause stands neither first nor last, or the rest has marks")


def _marks(sent: Span, start: int, end: int) -> bool:
    return any(t.is_punct and t.text != "-" for t in sent.doc[start:end])


def _names_again(sent: Span, head: Token) -> bool:
    """Whether the main clause has a pronoun that a noun of the moved clause may be meant by."""
    inside = set(head.subtree)
    return any(t.pos_ in ("NOUN", "PROPN") for t in inside) and any(
        t.lower_ in THIRD or t.lower_ in ("former", "latter", "this", "that", "these", "those", "such") for t in sent if t not in inside and head.dep_ == "advcl"
    )
