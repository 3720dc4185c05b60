"""Losses: pure functions of vectors, scores and masks, one a file."""

from compret.losses.infonce import InfoNCE as InfoNCE
