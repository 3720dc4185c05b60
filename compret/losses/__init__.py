"""Losses: pure functions of vectors, scores and masks, one a file."""

from compret.losses.binary import Binary as Binary
from compret.losses.contrast import Contrast as Contrast
from compret.losses.infonce import InfoNCE as InfoNCE
from compret.losses.masks import own_texts as own_texts
from compret.losses.pair import PairLoss as PairLoss
from compret.losses.pairwise import Pairwise as Pairwise
