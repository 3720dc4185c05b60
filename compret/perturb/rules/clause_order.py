"""Clause order: a subordinate clause or a date moved to the front, or back."""

from __future__ import annotations

from compret.perturb.edit import arranged
from compret.perturb.grammar import Clause, asks, has_quotes
from compret.perturb.tables import listed, table
from compret.perturb.types import Edits, Random, Skip, Span, Token


class ClauseOrder:
    category, label, nothing = "clause-order", 1, "no clause or date that can be moved"

    def apply(self, sent: Span, rng: Random) -> Edits:
        c = Clause(sent.root)
        if asks(sent) or has_quotes(sent) or c.negated or c.has("conj", "ccomp", "parataxis"):
            raise Skip("a question, a quotation, a negation or more than one main clause")
        whole = c.base != "be" or c.has("attr", "acomp")
        yield from (_moved(sent, head) for head in c.children if _is_clause(head) or (whole and _is_date(head)))


def _is_clause(token: Token) -> bool:
    first = token.left_edge.lower_
    return token.dep_ == "advcl" and first in listed("subordinator") and Clause(token).subject is not None


def _is_date(token: Token) -> bool:
    """`in 1834`, `on july 9 , 1755`."""
    words = list(token.subtree)[1:]
    dated = all(t.tag_ == "CD" or t.text == "," or t.lower_ in table("temporal") for t in words)
    return token.lower_ in ("in", "on", "since", "by") and dated and bool(words) and words[-1].text[-1].isdigit()


def _moved(sent: Span, head: Token) -> str:
    start, end, doc, last = head.left_edge.i, head.right_edge.i + 1, sent.doc, sent.end
    while doc[last - 1].is_punct or doc[last - 1].is_space:
        last -= 1
    inside = set(head.subtree)
    named = head.dep_ == "advcl" and any(t.pos_ in ("NOUN", "PROPN") for t in inside)
    if named and any(t.lower_ in listed("third") for t in sent if t not in inside):
        raise Skip("a pronoun might change what it stands for")
    if head.dep_ == "prep" and start == sent.start and any(t.dep_ == "prep" for t in doc[end:last]):
        raise Skip("the date might belong to another word at the end")
    rest = (end + 1, last) if start == sent.start else (sent.start, start)
    cut = any(t.text == ":" for t in sent) or (start > sent.start and doc[start - 1].tag_ == "IN")
    if not cut and not any(t.is_punct and t.text != "-" for t in doc[slice(*rest)]):
        if start == sent.start and end < last and doc[end].text == ",":
            return arranged(sent, [rest, (start, end), (last, sent.end)])
        if end == last and start > sent.start and doc[start - 1].is_alpha:
            return arranged(sent, [(start, end), ",", rest, (last, sent.end)])
    raise Skip("the clause stands neither first nor last, or the rest has marks")
