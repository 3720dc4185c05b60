"""Metrics: pure functions of rankings, scores and labels; no Lightning, and no torch until one is called."""

from compret.metrics.near_miss import best_f1_threshold as best_f1_threshold
from compret.metrics.near_miss import jaccard as jaccard
from compret.metrics.near_miss import near_miss_metrics as near_miss_metrics
from compret.metrics.ranking import RankingScores as RankingScores
from compret.metrics.ranking import ranking_scores as ranking_scores
from compret.metrics.stats import difference_interval as difference_interval
from compret.metrics.stats import sign_flip_test as sign_flip_test
