"""Losses: pure functions of scores and masks, one a file, of one protocol for all tasks."""

from compret.losses.base import Loss as Loss
from compret.losses.base import Needs as Needs
from compret.losses.binary import Binary as Binary
from compret.losses.contrast import Contrast as Contrast
from compret.losses.distilled import Distilled as Distilled
from compret.losses.masks import own_texts as own_texts
from compret.losses.ranknet import RankNet as RankNet
