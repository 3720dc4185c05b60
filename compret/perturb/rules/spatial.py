"""Spatial: a place or direction turned into its opposite."""

from compret.perturb.tables import Flip


class Spatial(Flip):
    category, label, nothing = "spatial", 0, "no word of place that has an opposite"
