"""Synonyms: a word or a turn of phrase for another that says the same in that place."""

from compret.perturb.tables import Flip


class Synonym(Flip):
    category, label, nothing = "synonym", 1, "no word that another can safely stand for"
