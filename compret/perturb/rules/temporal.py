"""Temporal: another order or another time."""

from compret.perturb.tables import Flip


class Temporal(Flip):
    category, label, nothing = "temporal", 0, "no word of time that has an opposite"
