"""Double negation: `impossible` and `not possible`, only where the two leave nothing between them."""

from compret.perturb.tables import Flip


class DoubleNegation(Flip):
    category, label, nothing = "double-negation", 1, "no word whose opposite leaves nothing between"
